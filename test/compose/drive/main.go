// Command drive is the shop, the buyers and the operator for one run of the compose stack: it places orders,
// restarts the broker, has the orders paid, kills the poller that holds them, cancels and returns, compares our events
// with the provider's ledger, and tries to get into the broker.
//
//	drive -seqrflow PROGRAM -earlier URL
//	drive -seqrflow PROGRAM -work DIR -sandbox URL -- docker compose -p PROJECT -f FILE
//
// The first form places the one order of an earlier version, at a broker without accounts.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/seqrflow/seqrflow/internal/bus"
	"github.com/seqrflow/seqrflow/pkg/events"
)

// longest is more than the whole takes on a slow machine when a killed poller's invoices wait to be handed over twice.
const longest = 9 * time.Minute

func main() {
	var s scenario
	flag.StringVar(&s.shop.program, "seqrflow", "seqrflow", "the program")
	flag.StringVar(&s.sandbox, "sandbox", "http://127.0.0.1:8585", "the sandbox's URL")
	flag.StringVar(&s.shop.user.url, "earlier", "", "only place the order of an earlier version at this broker")
	flag.StringVar(&s.stack.work, "work", "", "folder for keys")
	flag.Parse()
	s.stack.tool = flag.Args()

	ctx, cancel := context.WithTimeout(context.Background(), longest)
	var err error
	switch {
	case s.shop.user.url != "":
		err = s.shop.place(ctx, earlier, earlier)
	case len(s.stack.tool) == 0:
		err = errors.New("the compose command is missing: give it after --")
	default:
		err = s.run(ctx)
	}
	cancel()
	if err != nil {
		fmt.Fprintf(os.Stderr, "compose test: FAILED: %v\n", err)
		os.Exit(1)
	}
	fmt.Println("compose test: passed")
}

// scenario is one run.
type scenario struct {
	shop    shop
	sandbox string // its URL
	stack   stack
	bus     *bus.Bus                  // of the operator
	last    map[string]events.Invoice // the last event of each order, as it was last looked at
}

// run takes every order from its placing to its end.
func (s *scenario) run(ctx context.Context) error {
	begun := time.Now()
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"the stack starts, and an operator gets its keys", s.start},
		{"orders are placed, beside one of an earlier version", func(ctx context.Context) error { return s.shop.place(ctx, 1, orders-1) }},
		{"the broker starts again", s.restartBroker},
		{"the first half is paid", s.payFirstHalf},
		{"a second poller comes, and the first, which holds every open invoice, is killed", s.stack.replacePoller},
		{"the second half is paid, while no poller holds it", s.paySecondHalf},
		{"with three pollers, one order is canceled unpaid, one paid, and one is returned in part", s.cancelAndReturn},
		{"our events agree with the provider's ledger, nothing is parked, and the commands answer", s.compare},
		{"strangers, a worker's key and a new shop try to get into the broker", s.tryAccess},
		{"every container stops by itself, and no log has a password", s.stop},
	} {
		fmt.Printf("compose test: %4.0f s  %s\n", time.Since(begun).Seconds(), step.name)
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return nil
}

func (s *scenario) start(ctx context.Context) (err error) {
	if err := s.stack.healthy(ctx); err != nil {
		return err
	}
	s.shop.user, err = s.stack.user(ctx, "operator")
	return err
}

// restartBroker returns when the workers and the operator have found it again.
func (s *scenario) restartBroker(ctx context.Context) error {
	if _, err := s.stack.compose(ctx, "restart", "nats"); err != nil {
		return err
	}
	err := s.stack.healthy(ctx)
	if s.shop.user, err = s.stack.at(ctx, s.shop.user, err); err != nil {
		return err
	}
	s.bus, err = s.shop.user.bus(ctx)
	return err
}

func (s *scenario) payFirstHalf(ctx context.Context) error {
	if err := s.wait(ctx, inState(events.Issued), firstHalf, secondHalf, []int{abandoned}); err != nil {
		return err
	}
	return s.pay(ctx, firstHalf)
}

func (s *scenario) paySecondHalf(ctx context.Context) error { return s.pay(ctx, secondHalf) }

func (s *scenario) cancelAndReturn(ctx context.Context) error {
	_, err := s.stack.scalePoller(ctx, 3)
	if err != nil {
		return err
	}
	if err := errors.Join(s.shop.cancel(ctx, abandoned), s.shop.cancel(ctx, regretted), s.shop.giveBack(ctx, returned, returnedAmount)); err != nil {
		return err
	}
	return errors.Join(
		s.wait(ctx, inState(events.Canceled), []int{abandoned}),
		s.wait(ctx, inState(events.Refunded), []int{regretted}),
		s.wait(ctx, func(inv events.Invoice) bool { return inv.Refunded.In(inv.Currency) == returnedAmount }, []int{returned}),
	)
}

func (s *scenario) stop(ctx context.Context) error {
	s.bus.Close()
	return errors.Join(s.stack.drained(ctx), s.stack.keptSecrets(ctx))
}
