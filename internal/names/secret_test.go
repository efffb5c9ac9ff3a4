package names

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestSecretIsHidden(t *testing.T) {
	t.Parallel()
	s := Secret("s3cr3t")
	holder := struct{ Token Secret }{s}
	js, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "token", s)
	for _, text := range []string{
		fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %q %s", holder, holder, holder, s, s), string(js), log.String(),
	} {
		if strings.Contains(text, "s3cr3t") || !strings.Contains(text, "[hidden]") {
			t.Errorf("secret not hidden in %q", text)
		}
	}
	if s.Reveal() != "s3cr3t" {
		t.Errorf("Reveal = %q", s.Reveal())
	}
	if got := fmt.Sprint(Secret("")); got != "" {
		t.Errorf("empty secret prints %q", got)
	}
}
