package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"
)

// faults holds the faults that are set, by the name of the operation or * for all.
type faults struct {
	mu     sync.Mutex
	random *rand.Rand
	lists  map[string][]Fault
}

func newFaults(seed uint64) *faults {
	return &faults{random: rand.New(rand.NewPCG(seed, 0x5E92)), lists: map[string][]Fault{}}
}

// plan is what happens to one call: first the delay, then the failure, if any.
type plan struct {
	delay   time.Duration
	failure FaultKind
	code    code
}

// pick takes every delay that hits the call, and the first failure. Faults behind that are left for later calls.
func (fs *faults) pick(operation string) (p plan) {
	fs.spend(operation, func(f *Fault) bool { return f.Kind != FaultDuplicateNotification && p.failure == "" }, func(f *Fault) {
		if f.Kind == FaultDelay {
			p.delay += f.Delay
		} else {
			p.failure, p.code = f.Kind, code(f.Code)
		}
	})
	return p
}

// duplicateNotification tells whether this notification is sent twice.
func (fs *faults) duplicateNotification() (twice bool) {
	fs.spend("sendInvoice", func(f *Fault) bool { return f.Kind == FaultDuplicateNotification && !twice }, func(*Fault) { twice = true })
	return twice
}

// spend offers a call to each fault of the operation that concerns it, and then to those of all operations. Faults that are
// used up are removed.
func (fs *faults) spend(operation string, concerns func(*Fault) bool, hit func(*Fault)) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	for _, key := range []string{operation, "*"} {
		left := fs.spendList(fs.lists[key], concerns, hit)
		if len(left) == 0 {
			delete(fs.lists, key)
		} else {
			fs.lists[key] = left
		}
	}
}

func (fs *faults) spendList(list []Fault, concerns func(*Fault) bool, hit func(*Fault)) []Fault {
	var left []Fault
	for _, f := range list {
		switch {
		case !concerns(&f):
		case f.Skip > 0:
			f.Skip--
		case f.Probability > 0 && fs.random.Float64() >= f.Probability:
		default:
			hit(&f)
			if f.Count == 1 {
				continue
			}
			f.Count = max(0, f.Count-1)
		}
		left = append(left, f)
	}
	return left
}

// SetFaults replaces all faults. The keys are names of operations, or * for every operation. The error names every fault that is
// wrong; nothing is changed then.
func (s *Sandbox) SetFaults(set map[string][]Fault) error {
	if err := checkFaults(set); err != nil {
		return err
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.lists = copyFaults(set)
	return nil
}

// Faults gives the faults that are set, with the times that they have left.
func (s *Sandbox) Faults() map[string][]Fault {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	return copyFaults(s.faults.lists)
}

func copyFaults(lists map[string][]Fault) map[string][]Fault {
	all := map[string][]Fault{}
	for operation, list := range lists {
		if len(list) > 0 {
			all[operation] = slices.Clone(list)
		}
	}
	return all
}

func (s *Sandbox) serveFaults(w http.ResponseWriter, r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		writeJSON(w, http.StatusOK, s.Faults())
	case http.MethodPut:
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
		if err != nil {
			writeProblem(w, http.StatusBadRequest, "the body cannot be read: "+err.Error())
			return
		}
		faults, err := readFaults(body)
		if err == nil {
			err = s.SetFaults(faults)
		}
		if err != nil {
			writeProblem(w, http.StatusBadRequest, err.Error())
			return
		}
		writeJSON(w, http.StatusOK, s.Faults())
	default:
		notAllowed(w, "GET, PUT")
	}
}

// readFaults decodes each fault by itself, to say which is wrong.
func readFaults(body []byte) (map[string][]Fault, error) {
	var rough map[string][]json.RawMessage
	if err := json.Unmarshal(body, &rough); err != nil {
		return nil, fmt.Errorf(`the body must be {"operation or *": [fault, …]}: %w`, err)
	}
	faults := map[string][]Fault{}
	var errs []error
	for operation, list := range rough {
		for i, one := range list {
			var f Fault
			if err := json.Unmarshal(one, &f); err != nil {
				errs = append(errs, fmt.Errorf("%s[%d].%w", operation, i, err))
				continue
			}
			faults[operation] = append(faults[operation], f)
		}
	}
	return faults, errors.Join(errs...)
}
