package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/app"
	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/internal/cli/term"
)

// jsonLog is the log format of a process whose output a collector of logs reads: nothing else is printed then.
const jsonLog = "json"

// serve starts the components, calls begin (nil: nothing) with them, tells the person about them, and runs until the context ends. Where logs
// are JSON by the settings, the one record that serve writes takes the place of what started prints.
func (c *console) serve(o app.Options, begin func(*app.Stack) error, started func(*app.Stack)) error {
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
	if begin != nil {
		if err := begin(s); err != nil {
			return errors.Join(err, s.Stop())
		}
	}
	if o.LogFormat == jsonLog {
		log.Info().Strs("components", o.Targets).Str("broker", bus.Address(s.URLs.NATS)).Str("provider", s.URLs.Provider).Str("health", s.URLs.HTTP).
			Str("gateway", s.URLs.Gateway).Msg("running")
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

// resolve reads the files that the settings name: the shops' credentials and the connections.
func (c *console) resolve(s *app.Settings) (err error) {
	if s.ShopList, err = c.shops(s.ShopsFile); err != nil {
		return err
	}
	if err := s.LoadConnections(); err != nil {
		return usageError{err}
	}
	return nil
}

// shops reads the credentials; the list is nil when none are given anywhere.
func (c *console) shops(file string) (app.ShopList, error) {
	list, err := app.LoadShops(file, c.settings)
	if err != nil {
		return nil, usageError{err}
	}
	return list, nil
}

// program is how this very program is called again from the same shell.
func program() string {
	if strings.Contains(os.Args[0], "go-build") {
		return "go run ./cmd/seqrflow"
	}
	return os.Args[0]
}

// logger writes to w at the level and in the format that the settings name.
func logger(w io.Writer, level, format string) (zerolog.Logger, error) {
	l, err := zerolog.ParseLevel(level)
	if err != nil {
		return zerolog.Nop(), wrongUsage("--log-level: %w", err)
	}
	if format == "console" || format == "auto" && term.IsTerminal(w) {
		w = zerolog.ConsoleWriter{Out: w, TimeFormat: time.TimeOnly, NoColor: !bool(term.PaintFor(w))}
	}
	return zerolog.New(w).Level(l).With().Timestamp().Logger(), nil
}
