// Command drive is the shop, the buyers and the operator for one run of the compose stack: it places orders,
// has them paid, kills the poller that holds them, cancels and returns, and compares our events with the
// provider's ledger.
//
//	drive -seqrflow PROGRAM -nats URL -sandbox URL -- docker compose -p PROJECT -f FILE
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"time"
)

// longest is more than the whole takes when a killed poller's invoices wait to be handed over twice.
const longest = 4 * time.Minute

func main() {
	var shop shop
	var sandbox sandbox
	flag.StringVar(&shop.program, "seqrflow", "seqrflow", "the program")
	flag.StringVar(&shop.nats, "nats", "nats://127.0.0.1:4222", "the broker's URL")
	flag.StringVar(&sandbox.url, "sandbox", "http://127.0.0.1:8585", "the sandbox's URL")
	flag.Parse()

	ctx, cancel := context.WithTimeout(context.Background(), longest)
	defer cancel()
	verdict, err := drive(ctx, shop, sandbox, stack(flag.Args()))
	if err != nil {
		fmt.Fprintf(os.Stderr, "compose test: FAILED: %v\n", err)
		os.Exit(1)
	}
	fmt.Println("compose test:", verdict)
}

func drive(ctx context.Context, shop shop, buyers sandbox, st stack) (string, error) {
	if len(st) == 0 {
		return "", errors.New("the compose command is missing: give it after --")
	}
	if err := st.healthy(ctx); err != nil {
		return "", err
	}
	events, err := follow(ctx, shop.nats)
	if err != nil {
		return "", err
	}
	defer events.close()

	if err := lives(ctx, shop, buyers, st, events); err != nil {
		return "", err
	}
	gap, err := compare(ctx, buyers, events)
	if err != nil {
		return "", err
	}
	if err := errors.Join(events.nothingParked(ctx), shop.look(ctx)); err != nil {
		return "", err
	}
	if err := errors.Join(st.drained(ctx), st.keptSecrets(ctx)); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d orders, %d paid, %d refunds, one poller killed: no reversal, nothing parked, "+
		"ledger and events agree, every container drained; longest from payment to its fetch %s",
		orders, len(firstHalf)+len(secondHalf), 2, gap.Round(time.Millisecond)), nil
}

// lives takes every order from its placing to its end.
func lives(ctx context.Context, shop shop, buyers sandbox, st stack, events *events) error {
	say := func(format string, args ...any) { fmt.Printf("compose test: "+format+"\n", args...) }

	say("%d orders", orders)
	if err := shop.place(ctx); err != nil {
		return err
	}
	if err := events.await(ctx, in("ISSUED", firstHalf, secondHalf, []int{abandoned})); err != nil {
		return err
	}
	say("the first half is paid")
	if err := buyers.pay(ctx, events, firstHalf); err != nil {
		return err
	}
	if err := events.await(ctx, in("RECEIPTED", firstHalf)); err != nil {
		return err
	}

	say("a second poller comes, and the first, which holds every open invoice, is killed")
	if err := st.replacePoller(ctx); err != nil {
		return err
	}
	say("the second half is paid, while nobody holds it")
	if err := buyers.pay(ctx, events, secondHalf); err != nil {
		return err
	}
	if err := events.await(ctx, in("RECEIPTED", secondHalf)); err != nil {
		return err
	}

	say("with three pollers, one order is canceled unpaid, one paid, and one is returned in part")
	if _, err := st.scalePoller(ctx, 3); err != nil {
		return err
	}
	if err := errors.Join(shop.cancel(ctx, abandoned), shop.cancel(ctx, regretted), shop.giveBack(ctx, returned, returnedAmount)); err != nil {
		return err
	}
	return events.await(ctx, allOf(in("CANCELED", []int{abandoned}), in("REFUNDED", []int{regretted}), refunded(returned, returnedAmount)))
}
