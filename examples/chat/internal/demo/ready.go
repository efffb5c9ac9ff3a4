package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// startTimeout bounds the wait until everything answers.
const startTimeout = 60 * time.Second

// ready asks each of the addresses until its answer is 200.
func ready(ctx context.Context, urls ...string) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for _, url := range urls {
		if err := await(ctx, url); err != nil {
			return fmt.Errorf("%s does not answer: %w", url, err)
		}
	}
	return nil
}

func await(ctx context.Context, url string) error {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask(ctx, url)
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return err
		}
	}
}

func ask(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}
