package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/rs/zerolog"

	"github.com/seqrflow/seqrflow/internal/bus"
)

// user is one of the broker's users, with the files that "setup" has handed out.
type user struct {
	url  string
	dir  string // ca.pem and user.nk
	nkey string // another key than user.nk
}

func (u user) ca() string { return filepath.Join(u.dir, "ca.pem") }

func (u user) key() string {
	if u.nkey != "" {
		return u.nkey
	}
	return filepath.Join(u.dir, "user.nk")
}

func (u user) options() ([]nats.Option, error) {
	key, err := nats.NkeyOptionFromSeed(u.key())
	return []nats.Option{key, nats.RootCAs(u.ca())}, err
}

func (u user) connect() (*nats.Conn, error) {
	opts, err := u.options()
	if err != nil {
		return nil, err
	}
	return nats.Connect(u.url, opts...)
}

func (u user) bus(ctx context.Context) (*bus.Bus, error) {
	opts, err := u.options()
	if err != nil {
		return nil, err
	}
	return bus.Connect(ctx, bus.Config{URL: u.url, Name: "compose test", Options: opts, Log: zerolog.Nop()})
}

// user fetches the keys of a user to this machine, as docs/operations.md says.
func (s stack) user(ctx context.Context, name string) (user, error) {
	u := user{dir: filepath.Join(s.work, name)}
	return s.at(ctx, u, s.copyOut(ctx, "/keys/"+name+"/.", u.dir))
}

// at fills in the broker's address, which is another one after each start of the broker.
func (s stack) at(ctx context.Context, u user, err error) (user, error) {
	if err != nil {
		return u, err
	}
	address, err := s.compose(ctx, "port", "nats", "4222")
	u.url = "tls://" + address
	return u, err
}

// shopUser adds a shop's user to the running broker, as docs/operations.md says.
func (s stack) shopUser(ctx context.Context, shop string, operator user) (user, error) {
	if _, err := s.compose(ctx, "run", "--rm", "setup", "broker", "config", "--shop", shop); err != nil {
		return user{}, err
	}
	for range 2 {
		if err := s.reload(ctx); err != nil {
			return user{}, err
		}
	}
	operator.nkey = filepath.Join(s.work, "shop-"+shop+".nk")
	return s.at(ctx, operator, s.copyOut(ctx, "/keys/all/keys/shop-"+shop+".nk", operator.nkey))
}

// reload has the broker read its configuration. A signal from Docker would do it too, and Docker would then take the
// container for one that was stopped by hand: it would not start it again after a crash.
func (s stack) reload(ctx context.Context) error {
	const done = "Reloaded server configuration"
	count := func() (int, error) {
		logs, err := s.compose(ctx, "logs", "--no-color", "nats")
		return strings.Count(logs, done), err
	}
	before, err := count()
	if err != nil {
		return err
	}
	if _, err := s.compose(ctx, "exec", "-T", "nats", "nats-server", "--signal", "reload=1"); err != nil {
		return err
	}
	return until(ctx, func() (missing string, err error) {
		n, err := count()
		if n <= before {
			missing = "the broker has not logged: " + done
		}
		return missing, err
	})
}

func (s stack) copyOut(ctx context.Context, from, to string) error {
	setup, err := s.compose(ctx, "ps", "-a", "-q", "setup")
	if err != nil {
		return err
	}
	if err := os.RemoveAll(to); err != nil {
		return err
	}
	_, err = command(ctx, "docker", "cp", setup+":"+from, to)
	return err
}
