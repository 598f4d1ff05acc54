package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/seqrflow/seqrflow/pkg/events"
)

// tryAccess tries to get in where nobody should, and looks at what each container can see.
func (s *scenario) tryAccess(ctx context.Context) error {
	operator := s.shop.user
	poller, err := s.stack.user(ctx, "poller")
	if err != nil {
		return err
	}
	return errors.Join(
		plain(operator.url),
		refused("without a key", func() (*nats.Conn, error) { return nats.Connect(operator.url, nats.RootCAs(operator.ca())) }, "authorization violation"),
		refused("without the authority", func() (*nats.Conn, error) {
			key, err := nats.NkeyOptionFromSeed(operator.key())
			if err != nil {
				return nil, err
			}
			return nats.Connect(operator.url, key)
		}, "certificate"),
		s.mayNotOrder(ctx, "a poller", poller),
		ownKeyOnly(ctx, s.stack),
		keptKeys(ctx, s.stack, operator),
		s.newShop(ctx),
	)
}

// plain speaks to the broker without TLS.
func plain(url string) error {
	conn, err := net.DialTimeout("tcp", strings.TrimPrefix(url, "tls://"), 5*time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return err
	}
	in := bufio.NewReader(conn)
	if info, err := in.ReadString('\n'); err != nil || !strings.Contains(info, `"tls_required":true`) {
		return fmt.Errorf("the broker greets with %q, %w", info, err)
	}
	if _, err := fmt.Fprint(conn, "CONNECT {\"verbose\":false}\r\nPING\r\n"); err != nil {
		return nil // it has hung up already
	}
	if answer, _ := in.ReadString('\n'); strings.HasPrefix(answer, "PONG") {
		return errors.New("the broker takes a client without TLS")
	}
	return nil
}

func refused(how string, connect func() (*nats.Conn, error), want string) error {
	conn, err := connect()
	if err == nil {
		conn.Close()
		return fmt.Errorf("a client %s comes in", how)
	}
	if !strings.Contains(strings.ToLower(err.Error()), want) {
		return fmt.Errorf("a client %s is refused, but not for that: %w", how, err)
	}
	return nil
}

// mayNotOrder has a user place an order for a shop that it does not speak for.
func (s *scenario) mayNotOrder(ctx context.Context, who string, u user) error {
	before, err := s.bus.LastSeq(ctx, events.OrdersStream)
	if err != nil {
		return err
	}
	conn, err := u.connect()
	if err != nil {
		return err
	}
	defer conn.Close()
	violations := make(chan error, 1)
	conn.SetErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
		select {
		case violations <- err:
		default:
		}
	})
	if err := errors.Join(conn.Publish("orders.acme.stolen.placed", []byte("{}")), conn.Flush()); err != nil {
		return err
	}
	select {
	case err := <-violations:
		if !errors.Is(err, nats.ErrPermissionViolation) {
			return fmt.Errorf("%s orders for acme: %w", who, err)
		}
	case <-ctx.Done():
		return fmt.Errorf("%s orders for acme and is not told that it must not", who)
	}
	after, err := s.bus.LastSeq(ctx, events.OrdersStream)
	if err == nil && after != before {
		err = fmt.Errorf("%s has ordered for acme: ORDERS went from %d to %d", who, before, after)
	}
	return err
}

// ownKeyOnly compares what each container has mounted with the one volume of keys that is for it.
func ownKeyOnly(ctx context.Context, st stack) error {
	all, err := st.containers(ctx)
	if err != nil {
		return err
	}
	var errs []error
	for _, c := range all {
		service := c.Config.Labels["com.docker.compose.service"]
		var keys []string
		for _, m := range c.Mounts {
			if _, volume, ok := strings.Cut(m.Name, "_"); ok && strings.HasPrefix(volume, "key") {
				keys = append(keys, volume)
			}
		}
		want := []string{"key-" + service}
		switch service {
		case "setup": // makes and hands out all
			continue
		case "provision":
			want = []string{"key-provisioner"}
		case "sandbox":
			want = nil
		}
		if !slices.Equal(keys, want) {
			errs = append(errs, fmt.Errorf("%s sees %v, not %v", c.Name, keys, want))
		}
		if c.Config.User != "65532:65532" {
			errs = append(errs, fmt.Errorf("%s runs as %q", c.Name, c.Config.User))
		}
	}
	if len(all) < 10 {
		errs = append(errs, fmt.Errorf("only %d containers", len(all)))
	}
	return errors.Join(errs...)
}

// keptKeys compares a key with what it was before the stack went up again.
func keptKeys(ctx context.Context, st stack, operator user) error {
	before, err := os.ReadFile(operator.key())
	if err != nil {
		return err
	}
	again, err := st.user(ctx, "operator")
	if err != nil {
		return err
	}
	after, err := os.ReadFile(again.key())
	if err == nil && !bytes.Equal(before, after) {
		err = errors.New("the operator's key was overwritten")
	}
	return err
}

// newShop adds a shop's user, which orders for its shop and for no other.
func (s *scenario) newShop(ctx context.Context) error {
	shop, err := s.stack.shopUser(ctx, "gamma", s.shop.user)
	if err != nil {
		return err
	}
	conn, err := shop.connect()
	if err != nil {
		return fmt.Errorf("the new shop: %w", err)
	}
	defer conn.Close()
	js, err := jetstream.New(conn)
	if err != nil {
		return err
	}
	const order = `{"shop":"gamma","orderId":"1","currency":"SEK","total":"10","rows":[{"description":"a","quantity":"1","total":"10"}]}`
	if _, err := js.Publish(ctx, "orders.gamma.1.placed", []byte(order)); err != nil {
		return fmt.Errorf("the new shop's order: %w", err)
	}
	return s.mayNotOrder(ctx, "a new shop", shop)
}
