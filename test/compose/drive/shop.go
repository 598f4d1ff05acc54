package main

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
)

// What the shop sells, and what becomes of it. Orders are numbered from 1.
const (
	shopID         = "acme"
	orders         = 11
	abandoned      = 9  // nobody pays; the shop cancels
	regretted      = 10 // paid, then canceled: all of it is refunded
	returned       = 2  // paid, then a part is returned
	earlier        = 11 // placed at the broker of an earlier version, which had no accounts
	returnedAmount = "49.90"
)

var (
	firstHalf  = []int{1, 2, 3, 4, 5}
	secondHalf = []int{6, 7, 8, 10, earlier}
)

func orderID(n int) string { return fmt.Sprintf("c-%02d", n) }
func total(n int) string   { return strconv.Itoa(100*n) + ".50" }

// refundedOf is how much of the order the shop has wanted to be refunded.
func refundedOf(n int) string {
	switch n {
	case returned:
		return returnedAmount
	case regretted:
		return total(n)
	}
	return "0.00"
}

// shop speaks to the broker as a person does, with the program's own commands.
type shop struct {
	program string
	user    user
}

func (s shop) run(ctx context.Context, stdin string, args ...string) error {
	cmd := exec.CommandContext(ctx, s.program, args...)
	cmd.Env = append(cmd.Environ(), "SEQRFLOW_NATS="+s.user.url)
	if s.user.dir != "" {
		cmd.Env = append(cmd.Env, "SEQRFLOW_NATS_CA="+s.user.ca(), "SEQRFLOW_NATS_NKEY="+s.user.key())
	}
	cmd.Stdin = strings.NewReader(stdin)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("seqrflow %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

func (s shop) place(ctx context.Context, from, to int) error {
	var lines strings.Builder
	for n := from; n <= to; n++ {
		fmt.Fprintf(&lines, `{"shop":%q,"orderId":%q,"currency":"SEK","total":%q,"rows":[`+
			`{"description":"Kaffebryggare %d","quantity":"1","total":%q,"taxRate":"25"},`+
			`{"description":"Rabatt","quantity":"1","total":"-10.00","taxRate":"25"}]}`+"\n",
			shopID, orderID(n), total(n), n, strconv.Itoa(100*n+10)+".50")
	}
	return s.run(ctx, lines.String(), "order", "place", "-")
}

func (s shop) cancel(ctx context.Context, n int) error {
	return s.run(ctx, "", "order", "cancel", "--shop", shopID, "--order", orderID(n), "--reason", "customer regrets")
}

func (s shop) giveBack(ctx context.Context, n int, amount string) error {
	return s.run(ctx, "", "order", "return", "--shop", shopID, "--order", orderID(n), "--refund", "r-1", "--amount", amount)
}

// look shows one invoice and what is parked, as an operator would.
func (s shop) look(ctx context.Context) error {
	if err := s.run(ctx, "", "show", shopID+"/"+orderID(returned)); err != nil {
		return err
	}
	return s.run(ctx, "", "parked", "list")
}
