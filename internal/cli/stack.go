package cli

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/bus"
)

// jsonLog is the log format of a process whose output a collector of logs reads: nothing else is printed then.
const jsonLog = "json"

// serve starts the components, tells the person about them, and runs until the context ends. Where logs are JSON by the
// settings, the one record that serve writes takes the place of what started prints.
func (c *console) serve(o app.Options, started func(*app.Stack)) error {
	log, err := logger(c.err, o.LogLevel, o.LogFormat)
	if err != nil {
		return err
	}
	o.Log = log
	s, err := app.Start(c.ctx, o)
	if err != nil {
		if c.ctx.Err() != nil {
			return nil // told to stop while it was still starting
		}
		return withAdvice(err)
	}
	if o.LogFormat == jsonLog {
		log.Info().Strs("components", o.Targets).Str("broker", bus.Address(s.NATSURL())).Str("provider", s.ProviderURL()).Str("health", s.HTTPURL()).
			Str("gateway", s.GatewayURL()).Msg("running")
	} else {
		started(s)
	}
	err = s.Wait()
	log.Info().Msg("stopping: what is in hand is finished first")
	return errors.Join(err, s.Stop())
}

// withAdvice adds what to do about an error where the error itself does not say it.
func withAdvice(err error) error {
	if errors.Is(err, syscall.EADDRINUSE) && !strings.Contains(err.Error(), "--") {
		return fmt.Errorf("%w\nIs another seqrflow or NATS server running? Choose another address with --nats-listen", err)
	}
	return err
}

// shops reads the credentials; the list is nil when none are given anywhere.
func (c *console) shops(s app.Settings) (app.ShopList, error) {
	list, err := app.LoadShops(s.ShopsFile, c.settings)
	if err != nil {
		return nil, usageError{err}
	}
	return list, nil
}

// program is how this very program is called again from the same shell.
func program() string {
	self := os.Args[0]
	if strings.Contains(self, "go-build") {
		return "go run ./cmd/seqrflow"
	}
	if found, err := exec.LookPath(filepath.Base(self)); err == nil && !strings.ContainsRune(self, filepath.Separator) && found != "" {
		return filepath.Base(self)
	}
	return self
}
