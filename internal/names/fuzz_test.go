package names

import (
	"testing"

	"pgregory.net/rapid"
)

func FuzzEncodeToken(f *testing.F) {
	for _, s := range []string{"", "a", "=", "=2E", "a.b", "*", ">", "é", "\x00\r\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e := EncodeToken(s)
		if !wellFormed("x." + e) {
			t.Fatalf("%q becomes %q", s, e)
		}
		if d, err := DecodeToken(e); err != nil || d != s {
			t.Fatalf("%q → %q → %q, %v", s, e, d, err)
		}
		if d, err := DecodeToken(s); err == nil && EncodeToken(d) != s {
			t.Fatalf("%q → %q → %q", s, d, EncodeToken(d))
		}
	})
}

func FuzzEncodePath(f *testing.F) {
	for _, s := range []string{"", ".", "..", "a.b", ".a", "a.", "=.=", "a..b", "*.>", "a b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e := EncodePath(s)
		if !wellFormed(e) {
			t.Fatalf("%q becomes %q", s, e)
		}
		if d, err := DecodePath(e); err != nil || d != s {
			t.Fatalf("%q → %q → %q, %v", s, e, d, err)
		}
		if d, err := DecodePath(s); err == nil && EncodePath(d) != s {
			t.Fatalf("%q → %q → %q", s, d, EncodePath(d))
		}
	})
}

func FuzzParseConn(f *testing.F) {
	s := space(f)
	f.Add(s.Conn(ConnID{someNode, 42}, "sub"))
	f.Add("sw.main.conn." + string(someNode) + ".1.=")
	f.Add("sw.main.conn...")
	f.Fuzz(func(t *testing.T, subject string) {
		id, op, err := s.ParseConn(subject)
		if err != nil {
			return
		}
		again, op2, err := s.ParseConn(s.Conn(id, op))
		if err != nil || again != id || op2 != op {
			t.Fatalf("%q: %v %q, then %v %q, %v", subject, id, op, again, op2, err)
		}
	})
}

func FuzzParseUser(f *testing.F) {
	s := space(f)
	f.Add(s.User("a.b:1", "kick"))
	f.Add("sw.main.user.=.=")
	f.Fuzz(func(t *testing.T, subject string) {
		if id, op, err := s.ParseUser(subject); err == nil && s.User(id, op) != subject {
			t.Fatalf("%q is read as %q %q, whose subject is %q", subject, id, op, s.User(id, op))
		}
	})
}

func FuzzParseTopic(f *testing.F) {
	s := space(f)
	f.Add(s.Topic("rooms.red:1"))
	f.Add("sw.main.top.=.=")
	f.Fuzz(func(t *testing.T, subject string) {
		if topic, err := s.ParseTopic(subject); err == nil && s.Topic(topic) != subject {
			t.Fatalf("%q is read as %q, whose subject is %q", subject, topic, s.Topic(topic))
		}
	})
}

// FuzzParse: every Parse function takes any text without a panic, and what it lets pass has a short, literal subject.
func FuzzParse(f *testing.F) {
	s := space(f)
	for _, text := range []string{"", "a", "rooms/red", "a.b", "*", string(someNode) + "-1", "chat/x", "swindon/x", x(401)} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		var subjects []string
		if topic, err := ParseTopic(text); err == nil {
			subjects = append(subjects, s.Topic(topic), s.Publish(topic))
		}
		if topic, err := ParseTopicPath(text); err == nil {
			subjects = append(subjects, s.Topic(topic))
		}
		if user, err := ParseUserID(text); err == nil {
			subjects = append(subjects, s.User(user, "kick"))
		}
		if conn, err := ParseConnID(text); err == nil {
			subjects = append(subjects, s.Conn(conn, "sub"))
		}
		if method, err := ParseMethod(text); err == nil {
			if call, ok := s.Call("rpc", method); ok {
				subjects = append(subjects, call)
			}
		}
		if ns, err := ParseNamespacePath(text); err == nil {
			key, err := Prefix("sw").Lattices("main").Key(EncodeToken(string(ns)) + ".s.x")
			if err != nil {
				t.Fatalf("namespace %q: %v", ns, err)
			}
			subjects = append(subjects, key)
		}
		if _, err := ParseDestination(text); err == nil && text == "" {
			t.Fatal("an empty reference is accepted")
		}
		for _, subject := range subjects {
			if len(subject) > 1024 || !wellFormed(subject) {
				t.Fatalf("%q has the subject %q", text, subject)
			}
		}
	})
}

func FuzzReach(f *testing.F) { f.Fuzz(rapid.MakeFuzz(reach)) }
