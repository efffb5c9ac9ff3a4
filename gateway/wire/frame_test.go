package wire

import (
	"testing"

	"github.com/swindon-go/swindon/internal/names"
)

func TestFrames(t *testing.T) {
	t.Parallel()
	r, err := ParseRequest([]byte(`["m",{"request_id":1,"error_kind":"mine","http_error":200,"connection_id":"x","y":[1, 2]},[3],{"k":4}]`))
	if err != nil {
		t.Fatal(err)
	}
	empty, err := ParseRequest([]byte(`["m",{ },[],{}]`))
	if err != nil {
		t.Fatal(err)
	}
	id := names.ConnID{Node: "0123456789abcdefghijklmnopqrstuv", N: 41}
	data := []byte(`{"a":1}`)
	for _, tt := range []struct{ name, got, want string }{
		{"hello", string(HelloFrame(data).AppendText(nil)), `["hello",{},{"a":1}]`},
		{
			"result", string(Frame(Result, r.Meta, data).AppendText(nil)),
			`["result",{"request_id":1,"error_kind":"mine","http_error":200,"connection_id":"x","y":[1, 2]},{"a":1}]`,
		},
		{
			"error", string(Frame(Error, r.AppendErrorMeta(nil, "http_error", 409), data).AppendText(nil)),
			`["error",{"error_kind":"http_error","http_error":409,"request_id":1,"connection_id":"x","y":[1, 2]},{"a":1}]`,
		},
		{
			"error without status", string(r.AppendErrorMeta(nil, "data_error", 0)),
			`{"error_kind":"data_error","request_id":1,"http_error":200,"connection_id":"x","y":[1, 2]}`,
		},
		{"error of empty metadata", string(empty.AppendErrorMeta(nil, "validation_error", 0)), `{"error_kind":"validation_error"}`},
		{
			"message", string(Frame(Message, AppendTopicMeta(nil, "rooms.red"), data).AppendText(nil)),
			`["message",{"topic":"rooms.red"},{"a":1}]`,
		},
		{
			"fatal error", string(Frame(FatalError, AppendFatalMeta(nil, 403), []byte("null")).AppendText(nil)),
			`["fatal_error",{"error_kind":"http_error","http_error":403},null]`,
		},
		{
			"body", string(r.AppendBody(nil, id)),
			`[{"connection_id":"0123456789abcdefghijklmnopqrstuv-41","request_id":1,"error_kind":"mine","http_error":200,"y":[1, 2]},[3],{"k":4}]`,
		},
		{"body of empty metadata", string(empty.AppendBody(nil, id)), `[{"connection_id":"0123456789abcdefghijklmnopqrstuv-41"},[],{}]`},
	} {
		if tt.got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, tt.got, tt.want)
		}
	}
}

// The hot path of a call: parsing and building must not allocate more than the method and the id.
func TestAllocations(t *testing.T) {
	frame := []byte(`["chat.send_message",{"request_id":12345,"active":120},["hello there"],{"room":"red"}]`)
	id := names.ConnID{Node: "0123456789abcdefghijklmnopqrstuv", N: 41}
	body := make([]byte, 0, 512)
	got := testing.AllocsPerRun(100, func() {
		r, err := ParseRequest(frame)
		if err != nil {
			t.Fatal(err)
		}
		body = r.AppendBody(body[:0], id)
	})
	if got > 3 {
		t.Errorf("a request costs %v allocations, want at most 3", got)
	}
}
