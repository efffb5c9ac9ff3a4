package session

import "testing"

func TestCookieRoundTrip(t *testing.T) {
	t.Parallel()
	k := NewKeeper("secret")
	header := "other=1; " + k.Issue("ann").String()
	if u, err := k.User(header); err != nil || u != "ann" {
		t.Fatalf("User(%q) = %q, %v", header, u, err)
	}
	for _, bad := range []string{"", "other=1", Cookie + "=ann", Cookie + "=bob." + k.sign("ann"), NewKeeper("x").Issue("ann").String()} {
		if u, err := k.User(bad); err == nil {
			t.Errorf("User(%q) = %q, want an error", bad, u)
		}
	}
}

func TestCheckName(t *testing.T) {
	t.Parallel()
	for name, ok := range map[string]bool{"ann": true, "Ann_2-x": true, "": false, "a b": false, "ünn": false, "a.b": false, "abcdefghijklmnopqrstuvwxy": false} {
		if err := CheckName(name); (err == nil) != ok {
			t.Errorf("CheckName(%q) = %v", name, err)
		}
	}
}
