package wire

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/swindon-go/swindon/internal/jsontext"
	"github.com/swindon-go/swindon/internal/names"
)

func TestParseRequest(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, frame string
		want        Request
	}{
		{
			"everything", ` [ "desk.close" , {"request_id": 17, "active":90} , ["T-5"] , {"notify": true} ] `,
			Request{
				Method: "desk.close", ID: "17", Active: 90, HasActive: true, Meta: []byte(`{"request_id": 17, "active":90}`),
				Args: []byte(`["T-5"]`), Kwargs: []byte(`{"notify": true}`), keys: keyAny,
			},
		},
		{
			"escapes", `["desk\u002elist",{"request\u005fid":"a\u002db"},[],{}]`,
			Request{
				Method: "desk.list", ID: "a-b", Meta: []byte(`{"request\u005fid":"a\u002db"}`),
				Args: []byte(`[]`), Kwargs: []byte(`{}`), keys: keyAny,
			},
		},
		{
			"last duplicate wins", `["m",{"request_id":1,"request_id":2},[],{}]`,
			Request{
				Method: "m", ID: "2", Meta: []byte(`{"request_id":1,"request_id":2}`),
				Args: []byte(`[]`), Kwargs: []byte(`{}`), keys: keyAny,
			},
		},
		{
			"method before request id", `["tangle.x",{},[],{}]`,
			Request{Problem: InvalidMethod, Meta: []byte(`{}`), Args: []byte(`[]`), Kwargs: []byte(`{}`)},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseRequest([]byte(tt.frame))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(Request{})); diff != "" {
				t.Errorf("ParseRequest(%s) (-want +got):\n%s", tt.frame, diff)
			}
		})
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]Problem{
		"a": NoProblem, "a..b": NoProblem, ".a.": NoProblem, "swindon": NoProblem, "tangle": NoProblem, "A-_9": NoProblem,
		"swindonx.y": NoProblem,
		"":           InvalidMethod, "swindon.x": InvalidMethod, "tangle.": InvalidMethod, "a b": InvalidMethod,
		"a/b": InvalidMethod, "ü": InvalidMethod, "a*": InvalidMethod, "a>": InvalidMethod, `a\u0000`: InvalidMethod,
		strings.Repeat("a", names.MaxEncoded): NoProblem, strings.Repeat("a", names.MaxEncoded+1): InvalidMethod,
	} {
		got, err := ParseRequest([]byte(`["` + method + `",{"request_id":1},[],{}]`))
		if err != nil || got.Problem != want {
			t.Errorf("method %q: problem %q, error %v; want %q", method, got.Problem, err, want)
		}
	}
}

func TestRequestIDs(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`0`: "0", `17`: "17", `18446744073709551615`: "18446744073709551615", `"a"`: "a", `"A-_z9"`: "A-_z9",
		`"` + strings.Repeat("x", 36) + `"`: strings.Repeat("x", 36),
		// invalid ones
		`18446744073709551616`: "", `-1`: "", `-0`: "", `1.0`: "", `1e0`: "", `null`: "", `true`: "", `[]`: "", `{}`: "",
		`""`: "", `"a b"`: "", `"a.b"`: "", `"ü"`: "", `"` + strings.Repeat("x", 37) + `"`: "",
		`"` + strings.Repeat(`\u0061`, 36) + `"`: strings.Repeat("a", 36),
		`"` + strings.Repeat(`\u0061`, 99) + `"`: "",
	} {
		got, err := ParseRequest([]byte(`["m",{"request_id":` + raw + `},[],{}]`))
		if err != nil || got.ID != want || (got.Problem == InvalidRequestID) != (want == "") {
			t.Errorf("request id %s: %q, problem %q, error %v; want %q", raw, got.ID, got.Problem, err, want)
		}
	}
	got, err := ParseRequest([]byte(`["m",{},[],{}]`))
	if err != nil || got.Problem != InvalidRequestID {
		t.Errorf("no request id: problem %q, error %v", got.Problem, err)
	}
}

func TestActive(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]bool{
		`0`: true, `5`: true, `18446744073709551615`: true,
		`-3`: false, `2.5`: false, `"5"`: false, `true`: false, `null`: false, `1e3`: false, `18446744073709551616`: false,
	} {
		got, err := ParseRequest([]byte(`["m",{"request_id":1,"active":` + raw + `},[],{}]`))
		if err != nil || got.Problem != NoProblem || got.HasActive != want {
			t.Errorf("active %s: %v, problem %q, error %v; want %v", raw, got.HasActive, got.Problem, err, want)
		}
	}
}

func TestBreaches(t *testing.T) {
	t.Parallel()
	deep := `["m",{},` + strings.Repeat("[", 128) + strings.Repeat("]", 128) + `,{}]`
	for _, frame := range []string{"", "x", `["m",{},[],{}`, `["m",{},[],{}] x`, "[\"\xff\",{},[],{}]", `[1,]`, deep} {
		var syntax *jsontext.SyntaxError
		if _, err := ParseRequest([]byte(frame)); !errors.As(err, &syntax) {
			t.Errorf("ParseRequest(%.40q) = %v, want a syntax error", frame, err)
		}
	}
	for _, frame := range []string{
		"{}", "null", `"x"`, "[]", `["m",{},[]]`, `["m",{},[],{},0]`, `[1,{},[],{}]`, `["m",[],[],{}]`,
		`["m",{},{},{}]`, `["m",{},[],[]]`, `["m",null,[],{}]`, "[" + strings.Repeat("0,", 10000) + "0]",
	} {
		if _, err := ParseRequest([]byte(frame)); !errors.Is(err, ErrShape) {
			t.Errorf("ParseRequest(%.40q) = %v, want ErrShape", frame, err)
		}
	}
}

// FuzzParseRequest compares with encoding/json and checks that whatever we build from a request is JSON again.
func FuzzParseRequest(f *testing.F) {
	for _, s := range []string{
		`["a.b",{"request_id":1,"active":3,"x":{}},[1],{"k":"v"}]`,
		`["a",{"request_id":"u","connection_id":"evil","error_kind":1,"http\u005ferror":2},[],{}]`,
		`["a",{ },[ ],{ }]`, `[1,2]`, `["a",{"request_id":"1","request_id":null},[],{}]`, `["\ud800",{},[],{}]`,
	} {
		f.Add([]byte(s))
	}
	id := names.ConnID{Node: "0123456789abcdefghijklmnopqrstuv", N: 7}
	f.Fuzz(func(t *testing.T, frame []byte) {
		r, err := ParseRequest(frame)
		if err != nil {
			return
		}
		var body []json.RawMessage
		if err := json.Unmarshal(r.AppendBody(nil, id), &body); err != nil || len(body) != 3 {
			t.Fatalf("body of %q: %v", frame, err)
		}
		meta := object(t, r.Meta)
		sent := object(t, body[0])
		if sent["connection_id"] != id.String() {
			t.Fatalf("connection_id of %q: %v", frame, sent["connection_id"])
		}
		meta["connection_id"], sent["connection_id"] = nil, nil
		if diff := cmp.Diff(meta, sent); diff != "" {
			t.Fatalf("metadata of %q (-client +backend):\n%s", frame, diff)
		}
		reply := object(t, r.AppendErrorMeta(nil, "http_error", 418))
		if reply["error_kind"] != "http_error" || reply["http_error"] != 418.0 {
			t.Fatalf("error metadata of %q: %v", frame, reply)
		}
		if (r.Problem == NoProblem) != (r.ID != "") {
			t.Fatalf("%q: problem %q with id %q", frame, r.Problem, r.ID)
		}
	})
}

func object(t *testing.T, raw []byte) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatalf("%q is no object: %v", raw, err)
	}
	return m
}
