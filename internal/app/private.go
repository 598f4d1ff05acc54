package app

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// Private gives the options of a program that nobody else has to reach: it listens on free ports of this machine. The provider
// is told the name.
func Private(name string, log zerolog.Logger) Options {
	const free = "127.0.0.1:0"
	return Options{
		Settings: Settings{
			Replicas: 1, ProviderFlags: ProviderFlags{ProviderTimeout: 10 * time.Second, ClientID: name, ClientReference: name},
			PollInterval: time.Second, ValidFor: 15 * time.Minute, HTTPListen: free, GatewayListen: free,
		},
		Targets: []string{All}, NATSListen: free, SandboxListen: free, Log: log,
	}
}

// With starts the targets on a fresh folder in parent ("": where the system keeps temporary files), calls do, stops them and
// removes the folder. The context of do ends with the error of a component that fails.
func With(ctx context.Context, parent string, o Options, do func(context.Context, *Stack) error) (err error) {
	if o.Data, err = os.MkdirTemp(parent, "seqrflow-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(o.Data)) }()
	var waiting sync.WaitGroup
	defer waiting.Wait()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	s, err := Start(ctx, o)
	if err != nil {
		return err
	}
	waiting.Go(func() { fail(s.Wait()) })
	return errors.Join(do(ctx, s), s.Stop())
}
