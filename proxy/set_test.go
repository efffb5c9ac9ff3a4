package proxy

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// A reload keeps destinations by name, starts new ones and closes those that are gone when their requests are through.
func TestSet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork()
		b := n.listen(t, "10.0.0.1:80")
		s := NewSet(Deps{Dial: n.dial})
		cfg := limited(1, "10.0.0.1")
		s.Apply(t.Context(), map[string]DestinationConfig{"stays": cfg, "goes": cfg})
		stays, goes := s.Find("stays"), s.Find("goes")
		if stays == nil || goes == nil || s.Find("other") != nil || len(s.All()) != 2 {
			t.Fatalf("set holds %v", s.All())
		}
		out := call(t.Context(), goes, "/")
		req := <-b.requests
		s.Apply(t.Context(), map[string]DestinationConfig{"stays": cfg, "new": cfg})
		synctest.Wait()
		if s.Find("stays") != stays || s.Find("goes") != nil || s.Find("new") == nil {
			t.Errorf("after the reload: %v", s.All())
		}
		ended(t, call1(t, goes), errGone)
		pending(t, out)
		req.respond(okResponse)
		synctest.Wait()
		ended(t, out, nil)

		out = call(t.Context(), stays, "/")
		<-b.requests // never answered
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		s.Close(ctx)
		synctest.Wait()
		if took := time.Since(start); took != time.Second {
			t.Errorf("closing took %v", took)
		}
		ended(t, out, errGone)
		s.Apply(t.Context(), map[string]DestinationConfig{"late": cfg})
		if len(s.All()) != 0 {
			t.Errorf("after Close the set holds %v", s.All())
		}
	})
}
