// Command bench measures the built swindon against its baselines and prints one table.
//
//	go run ./integration/bench/cmd/bench -swindon bin/swindon [-only NAME,NAME] [-runs 3] [-quick] [-write docs/performance.md]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/swindon-go/swindon/integration/bench/measure"
	"github.com/swindon-go/swindon/integration/bench/report"
	"github.com/swindon-go/swindon/integration/bench/worker"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "worker" {
		if err := worker.Run(os.Args[2:], os.Stdin, os.Stdout); err != nil {
			_, _ = fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	swindon := flag.String("swindon", "bin/swindon", "the program under measurement")
	only := flag.String("only", "", "names of measures, joined with commas; a name ending in * is a prefix")
	runs := flag.Int("runs", 3, "runs of each side; the figure is the median")
	length := flag.Duration("length", 4*time.Second, "length of one run")
	quick := flag.Bool("quick", false, "one short run of each, to see that everything works; not for figures")
	baselines := flag.Bool("baselines", false, "measure the baselines alone")
	write := flag.String("write", "", "write the report to this file")
	testdata := flag.String("testdata", "integration/bench/testdata", "folder of the configurations")
	example := flag.String("example", "examples/chat/swindon.yaml", "configuration for the measures of the whole process; empty: the benchmark's own")
	flag.Parse()
	if *quick {
		*runs, *length = 1, time.Second
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	b := &measure.Bench{Swindon: *swindon, Example: *example, Self: self, Testdata: *testdata, Length: *length, OnlyBase: *baselines, Log: os.Stderr}
	var results []measure.Result
	for _, m := range measure.All(*quick) {
		if !chosen(*only, m.Name) {
			continue
		}
		result := m.Run(ctx, b, *runs)
		if result.Err != nil {
			_, _ = fmt.Fprintln(os.Stderr, result.Err)
		}
		results = append(results, result)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if len(results) == 0 {
		return fmt.Errorf("no measure is called %q", *only)
	}
	report.Table(os.Stdout, results)
	if *write != "" {
		return writeReport(ctx, *write, *swindon, *runs, *length, results)
	}
	return nil
}

func chosen(only, name string) bool {
	if only == "" {
		return true
	}
	return slices.ContainsFunc(strings.Split(only, ","), func(each string) bool {
		prefix, isPrefix := strings.CutSuffix(each, "*")
		return each == name || isPrefix && strings.HasPrefix(name, prefix)
	})
}

func writeReport(ctx context.Context, path, swindon string, runs int, length time.Duration, results []measure.Result) error {
	version, err := exec.CommandContext(ctx, swindon, "--version").Output()
	if err != nil {
		return fmt.Errorf("asking %s for its version: %w", swindon, err)
	}
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	about := report.About{
		Date: time.Now(), Command: "go run ./integration/bench/cmd/bench " + strings.Join(os.Args[1:], " "),
		Runs: runs, Length: length, Version: strings.TrimSpace(string(version)),
	}
	if err := report.Write(file, about, results); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}
