package bench_test

import (
	"context"
	"os"
	"os/signal"
	"testing"

	"go.uber.org/goleak"

	"github.com/seqrflow/seqrflow/internal/cli"
)

// asProgram makes the test binary the program itself, so that a measurement can start another process of it.
const asProgram = "SEQRFLOW_BENCH_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		code := cli.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
		stop()
		os.Exit(code)
	}
	goleak.VerifyTestMain(m)
}
