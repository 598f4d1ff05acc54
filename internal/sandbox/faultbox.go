package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
)

// faultBox holds the faults that are on, and spends them.
type faultBox struct {
	mu     sync.Mutex
	random *rand.Rand
	lists  map[string][]Fault
}

func newFaultBox(seed uint64) *faultBox {
	return &faultBox{random: rand.New(rand.NewPCG(seed, 0x5E92)), lists: map[string][]Fault{}}
}

// plan is what one call has to suffer: first the delay, then the blow, if any.
type plan struct {
	delay time.Duration
	blow  FaultKind
	code  code
}

// pick goes through the operation's faults and then those of all: every delay that hits counts, and the first blow.
// Faults behind that are left for later calls.
func (b *faultBox) pick(operation string) plan {
	b.mu.Lock()
	defer b.mu.Unlock()
	var p plan
	if len(b.lists) == 0 {
		return p
	}
	for _, key := range []string{operation, "*"} {
		b.lists[key] = b.spend(b.lists[key], func(f *Fault) bool { return f.Kind != FaultDuplicateNotification && p.blow == "" },
			func(f *Fault) {
				if f.Kind == FaultDelay {
					p.delay += f.Delay
					return
				}
				p.blow, p.code = f.Kind, code(f.Code)
			})
		if len(b.lists[key]) == 0 {
			delete(b.lists, key)
		}
	}
	return p
}

// duplicateNotification says whether this one goes out twice.
func (b *faultBox) duplicateNotification() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	twice := false
	for _, key := range []string{"sendInvoice", "*"} {
		b.lists[key] = b.spend(b.lists[key], func(f *Fault) bool { return f.Kind == FaultDuplicateNotification && !twice },
			func(*Fault) { twice = true })
		if len(b.lists[key]) == 0 {
			delete(b.lists, key)
		}
	}
	return twice
}

// spend offers the call to each fault that concerns it, and drops those used up.
func (b *faultBox) spend(list []Fault, concerns func(*Fault) bool, hit func(*Fault)) []Fault {
	var left []Fault
	for _, f := range list {
		switch {
		case !concerns(&f):
		case f.Skip > 0:
			f.Skip--
		case f.Probability > 0 && b.random.Float64() >= f.Probability:
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

// SetFaults replaces all faults. The keys are operations' names, or * for every one.
func (s *Sandbox) SetFaults(faults map[string][]Fault) error {
	if err := checkFaults(faults); err != nil {
		return err
	}
	lists := map[string][]Fault{}
	for operation, list := range faults {
		if len(list) > 0 {
			lists[operation] = append([]Fault(nil), list...)
		}
	}
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	s.faults.lists = lists
	return nil
}

// Faults are those that are on, with the times they have left.
func (s *Sandbox) Faults() map[string][]Fault {
	s.faults.mu.Lock()
	defer s.faults.mu.Unlock()
	lists := make(map[string][]Fault, len(s.faults.lists))
	for operation, list := range s.faults.lists {
		lists[operation] = append([]Fault(nil), list...)
	}
	return lists
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

// readFaults decodes fault by fault, to say which one is wrong.
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

// strictly decodes JSON that has no members but the known ones.
func strictly(data []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	return d.Decode(into)
}
