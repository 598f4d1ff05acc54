package procs

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// The range that ports are taken from lies below the one that the kernel gives to outgoing connections:
// a program that is down must find its port free when it comes back.
const (
	firstPort = 20_000
	lastPort  = 31_999
)

// Ports gives n loopback addresses on which no program listens.
func Ports(t testing.TB, n int) []string {
	t.Helper()
	var taken []net.Listener
	defer func() {
		for _, l := range taken {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}
	}()
	var addrs []string
	for range 1000 {
		if len(addrs) == n {
			return addrs
		}
		addr := fmt.Sprintf("127.0.0.1:%d", firstPort+rand.IntN(lastPort-firstPort+1))
		if l, err := net.Listen("tcp", addr); err == nil {
			taken, addrs = append(taken, l), append(addrs, addr)
		}
	}
	t.Fatalf("no %d free ports between %d and %d", n, firstPort, lastPort)
	return nil
}
