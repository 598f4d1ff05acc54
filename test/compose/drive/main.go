// Command drive is the shop, the buyers and the operator for one run of the compose stack: it places orders,
// restarts the broker, has the orders paid, kills the poller that holds them, cancels and returns, compares our events
// with the provider's ledger, and tries the broker's doors.
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
)

// longest is more than the whole takes on a slow machine when a killed poller's invoices wait to be handed over twice.
const longest = 9 * time.Minute

func main() {
	var shop shop
	var sandbox sandbox
	var st stack
	flag.StringVar(&shop.program, "seqrflow", "seqrflow", "the program")
	flag.StringVar(&sandbox.url, "sandbox", "http://127.0.0.1:8585", "the sandbox's URL")
	flag.StringVar(&shop.user.url, "earlier", "", "only place the order of an earlier version at this broker")
	flag.StringVar(&st.work, "work", "", "folder for keys")
	flag.Parse()
	st.tool = flag.Args()

	ctx, cancel := context.WithTimeout(context.Background(), longest)
	verdict := "the order of an earlier version is placed"
	var err error
	if shop.user.url != "" {
		err = shop.place(ctx, earlier, earlier)
	} else {
		verdict, err = drive(ctx, shop, sandbox, st)
	}
	cancel()
	if err != nil {
		fmt.Fprintf(os.Stderr, "compose test: FAILED: %v\n", err)
		os.Exit(1)
	}
	fmt.Println("compose test:", verdict)
}

var begun = time.Now()

func say(format string, args ...any) {
	fmt.Printf("compose test: %4.0f s  %s\n", time.Since(begun).Seconds(), fmt.Sprintf(format, args...))
}

func drive(ctx context.Context, shop shop, buyers sandbox, st stack) (verdict string, err error) {
	if len(st.tool) == 0 {
		return "", errors.New("the compose command is missing: give it after --")
	}
	if err := st.healthy(ctx); err != nil {
		return "", err
	}
	if shop.user, err = st.user(ctx, "operator"); err != nil {
		return "", err
	}
	say("%d orders, one of them of an earlier version", orders)
	if err := shop.place(ctx, 1, orders-1); err != nil {
		return "", err
	}
	say("the broker starts again")
	if err := st.restartBroker(ctx); err != nil {
		return "", err
	}
	if shop.user, err = st.at(ctx, shop.user, nil); err != nil {
		return "", err
	}
	events, err := follow(ctx, shop.user)
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
	say("strangers, a worker's key and a new shop at the broker's doors")
	if err := errors.Join(doors(ctx, st, shop.user), keptKeys(ctx, st, shop.user), newShop(ctx, st, shop.user)); err != nil {
		return "", err
	}
	say("the stack stops")
	if err := errors.Join(st.drained(ctx), st.keptSecrets(ctx)); err != nil {
		return "", err
	}
	return fmt.Sprintf("%d orders, %d paid, %d refunds, one poller killed, the broker restarted: no reversal, nothing parked, "+
		"ledger and events agree, strangers stay out, every container drained; longest from payment to its fetch %s",
		orders, len(firstHalf)+len(secondHalf), 2, gap.Round(time.Millisecond)), nil
}

// lives takes every order from its placing to its end.
func lives(ctx context.Context, shop shop, buyers sandbox, st stack, events *events) error {
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
