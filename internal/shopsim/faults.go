package shopsim

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Fault is something that goes wrong with a request. One with neither Code nor Drop only delays it.
type Fault struct {
	On     string          // the operation that it concerns, such as OpUpdateOrder; "" for every one
	Times  int             // how many requests it concerns; 0 for all
	Delay  time.Duration   // before anything else
	Until  <-chan struct{} // if set, the request waits until it is closed, before anything else
	Effect bool            // with Code or Drop: the request has its effect all the same
	Drop   bool            // the connection ends without an answer
	Code   int             // answered instead
	Header http.Header     // of the answer with Code
	Body   string          // of the answer with Code
}

// Faults are the faults of one stand-in. It is safe for concurrent use.
type Faults struct {
	mu   sync.Mutex
	list []Fault
}

// SetFaults replaces all faults; without arguments nothing goes wrong any more. The first fault that concerns a request counts.
func (fs *Faults) SetFaults(list ...Fault) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.list = slices.Clone(list)
}

func (fs *Faults) take(operation string) (f Fault, ok bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	i := slices.IndexFunc(fs.list, func(f Fault) bool { return f.On == "" || f.On == operation })
	if i < 0 {
		return Fault{}, false
	}
	f = fs.list[i]
	switch f.Times {
	case 0:
	case 1:
		fs.list = slices.Delete(fs.list, i, i+1)
	default:
		fs.list[i].Times--
	}
	return f, true
}

// serve handles a request with the fault that concerns it. The handler has the effect and answers.
func (fs *Faults) serve(operation string, w http.ResponseWriter, r *http.Request, handle http.HandlerFunc) {
	f, ok := fs.take(operation)
	if !ok {
		handle(w, r)
		return
	}
	if !f.wait(r) {
		panic(http.ErrAbortHandler)
	}
	if f.Code == 0 && !f.Drop {
		handle(w, r)
		return
	}
	if f.Effect {
		handle(unheard{}, r)
	}
	if f.Drop {
		panic(http.ErrAbortHandler)
	}
	for name, values := range f.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(f.Code)
	_, _ = io.WriteString(w, f.Body)
}

// wait returns false if the client has gone before the wait was over.
func (f Fault) wait(r *http.Request) bool {
	if f.Until != nil {
		select {
		case <-f.Until:
		case <-r.Context().Done():
			return false
		}
	}
	if f.Delay <= 0 {
		return true
	}
	timer := time.NewTimer(f.Delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// unheard takes an answer that the client will not get.
type unheard struct{}

func (unheard) Header() http.Header         { return http.Header{} }
func (unheard) Write(b []byte) (int, error) { return len(b), nil }
func (unheard) WriteHeader(int)             {}

// RateLimited is the fault of a host that refuses requests for some seconds.
func RateLimited(times, seconds int) Fault {
	return Fault{Times: times, Code: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {fmt.Sprint(seconds)}}, Body: "Too Many Requests"}
}
