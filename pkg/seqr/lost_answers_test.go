package seqr_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/seqrflow/seqrflow/pkg/seqr"
)

// TestLostAnswers: the provider had the request, or part of it, and its answer did not come.
func TestLostAnswers(t *testing.T) {
	for name, handle := range map[string]func(net.Conn){
		"closed after reading":  func(c net.Conn) { readRequest(t, bufio.NewReader(c)) },
		"reset after reading":   func(c net.Conn) { readRequest(t, bufio.NewReader(c)); reset(c) },
		"closed after one byte": func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) },
		"half a status line":    func(c net.Conn) { readRequest(t, bufio.NewReader(c)); _, _ = io.WriteString(c, "HTTP/1.1 2") },
		"half the headers":      func(c net.Conn) { readRequest(t, bufio.NewReader(c)); _, _ = io.WriteString(c, okay()[:30]) },
		"half the answer": func(c net.Conn) {
			readRequest(t, bufio.NewReader(c))
			_, _ = io.WriteString(c, okay()[:len(okay())-40])
		},
		"all but the last byte": func(c net.Conn) { readRequest(t, bufio.NewReader(c)); _, _ = io.WriteString(c, okay()[:len(okay())-1]) },
		"not HTTP": func(c net.Conn) {
			readRequest(t, bufio.NewReader(c))
			_, _ = io.WriteString(c, "220 smtp ready\r\n\r\n")
		},
		"an answer before asked": func(c net.Conn) { _, _ = c.Read(make([]byte, 1)); _, _ = io.WriteString(c, okay()[:40]) },
	} {
		t.Run(name, func(t *testing.T) {
			p := listen(t, handle)
			expectSent(t, refund(t.Context(), newClient(t, seqr.Config{Endpoint: p.url})), seqr.MaybeSent)
		})
	}
}

func TestTimeoutAfterTheRequest(t *testing.T) {
	over := make(chan struct{})
	p := listen(t, func(c net.Conn) {
		readRequest(t, bufio.NewReader(c))
		<-over
	})
	err := refund(t.Context(), newClient(t, seqr.Config{Endpoint: p.url, Timeout: time.Second}))
	close(over)
	expectSent(t, err, seqr.MaybeSent)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the deadline is not the cause: %v", err)
	}
}

func TestTimeoutWithinTheAnswer(t *testing.T) {
	over := make(chan struct{})
	p := listen(t, func(c net.Conn) {
		readRequest(t, bufio.NewReader(c))
		_, _ = io.WriteString(c, okay()[:len(okay())-5])
		<-over
	})
	err := refund(t.Context(), newClient(t, seqr.Config{Endpoint: p.url, Timeout: time.Second}))
	close(over)
	expectSent(t, err, seqr.MaybeSent)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the deadline is not the cause: %v", err)
	}
}

func TestCanceledWhileThePeerReads(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	p := listen(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 10))
		cancel()
		_, _ = io.Copy(io.Discard, c)
	})
	err := newClient(t, seqr.Config{Endpoint: p.url}).SubmitPaymentReceipt(ctx, seqr.SubmitPaymentReceipt{
		As: till(), ErsReference: ers, Document: &seqr.ReceiptDocument{Data: make([]byte, 8<<20)}, // more than buffers hold
	})
	expectSent(t, err, seqr.MaybeSent)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the cancellation is not the cause: %v", err)
	}
}

// TestFaultsAtRandom holds the client to its two promises while connections break anywhere: what it calls
// not sent has not arrived in part, and nothing arrives twice.
func TestFaultsAtRandom(t *testing.T) {
	const calls = 400
	random := rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex
	var received, whole int
	plan := func() (readUpTo int, hardly bool) {
		mu.Lock()
		defer mu.Unlock()
		return random.IntN(2500), random.IntN(2) == 0
	}
	p := listen(t, func(c net.Conn) {
		for {
			upTo, hard := plan()
			limited := io.LimitReader(countingReader{c, func(n int) { mu.Lock(); received += n; mu.Unlock() }}, int64(upTo))
			request, err := http.ReadRequest(bufio.NewReaderSize(limited, 16))
			if err == nil {
				_, err = io.Copy(io.Discard, request.Body)
			}
			if err == nil {
				mu.Lock()
				whole++
				mu.Unlock()
			}
			switch {
			case hard:
				reset(c)
				return
			case err != nil:
				return
			}
			_, _ = io.WriteString(c, httpAnswer(answerTo("cancelInvoice", "<resultCode>0</resultCode>")))
		}
	})
	c := newClient(t, seqr.Config{Endpoint: p.url})
	outcomes := map[seqr.SentState]int{}
	for range calls {
		mu.Lock()
		receivedBefore, wholeBefore := received, whole
		mu.Unlock()
		err := cancelOne(t.Context(), c)
		mu.Lock()
		var e *seqr.Error
		switch errors.As(err, &e) {
		case true:
			outcomes[e.Sent]++
			if e.Sent == seqr.NotSent && received != receivedBefore {
				t.Errorf("%d bytes arrived of a call that ended with %v", received-receivedBefore, err)
			}
		case false:
			outcomes[seqr.Answered]++
		}
		if whole-wholeBefore > 1 {
			t.Errorf("one call arrived %d times", whole-wholeBefore)
		}
		mu.Unlock()
	}
	if outcomes[seqr.MaybeSent] == 0 || outcomes[seqr.Answered] == 0 {
		t.Errorf("the faults were not varied enough: %v", outcomes)
	}
}

type countingReader struct {
	r     io.Reader
	count func(int)
}

func (c countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.count(n)
	return n, err
}
