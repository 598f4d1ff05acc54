package bench_test

import (
	"context"
	"os"
	"os/signal"
	"testing"

	"go.uber.org/goleak"

	"github.com/seqrflow/seqrflow/internal/bench"
	"github.com/seqrflow/seqrflow/internal/cli"
)

func TestMain(m *testing.M) {
	if os.Getenv(bench.AsProgram) != "" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		code := cli.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
		stop()
		os.Exit(code)
	}
	if err := os.Setenv(bench.AsProgram, "1"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}
