// Command seqrflow turns shop orders into SEQR invoices and watches them until they are paid.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/seqrflow/seqrflow/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)   // a second signal ends the process at once
	signal.Ignore(syscall.SIGPIPE) // a write fails instead, so that what was begun is tidied up
	os.Exit(cli.Run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
