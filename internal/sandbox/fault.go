package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// FaultKind is what goes wrong.
type FaultKind string

// The kinds of fault.
const (
	FaultDelay                 FaultKind = "delay"                 // the answer, and the effect, come later
	FaultHTTP500               FaultKind = "http500"               // no effect; an answer that is not SOAP
	FaultSOAP                  FaultKind = "fault"                 // no effect; a SOAP Fault
	FaultDropBefore            FaultKind = "dropBefore"            // no effect; the connection is closed
	FaultDropAfter             FaultKind = "dropAfter"             // the effect happens; the connection is closed
	FaultResultCode            FaultKind = "resultCode"            // no effect; that result code
	FaultResultCodeAfter       FaultKind = "resultCodeAfter"       // the effect happens; that result code all the same
	FaultDuplicateNotification FaultKind = "duplicateNotification" // the notification of a payment comes twice
)

// Fault is one thing to go wrong, for as often as it says.
type Fault struct {
	Kind        FaultKind
	Code        int           // of resultCode and resultCodeAfter
	Delay       time.Duration // of delay, on the sandbox's clock
	Skip        int           // calls to leave alone first
	Count       int           // times left; 0 means always
	Probability float64       // above 0, at most 1; 0 means 1
}

// faultJSON is a Fault as it travels.
type faultJSON struct {
	Kind        FaultKind `json:"kind"`
	Code        *int      `json:"code,omitempty"`
	Delay       string    `json:"delay,omitempty"`
	Skip        int       `json:"skip,omitempty"`
	Count       int       `json:"count,omitempty"`
	Probability *float64  `json:"probability,omitempty"`
}

// MarshalJSON writes the delay as a duration such as "2s".
func (f Fault) MarshalJSON() ([]byte, error) {
	j := faultJSON{Kind: f.Kind, Skip: f.Skip, Count: f.Count}
	if f.Code != 0 {
		j.Code = &f.Code
	}
	if f.Delay != 0 {
		j.Delay = f.Delay.String()
	}
	if f.Probability != 0 {
		j.Probability = &f.Probability
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON writes, and refuses members that it does not know.
func (f *Fault) UnmarshalJSON(data []byte) error {
	var j faultJSON
	if err := strictly(data, &j); err != nil {
		return err
	}
	*f = Fault{Kind: j.Kind, Skip: j.Skip, Count: j.Count}
	if j.Code != nil {
		f.Code = *j.Code
	}
	if j.Delay != "" {
		d, err := time.ParseDuration(j.Delay)
		if err != nil {
			return fmt.Errorf("delay: %q is not a duration such as 2s", j.Delay)
		}
		f.Delay = d
	}
	if j.Probability != nil {
		if f.Probability = *j.Probability; f.Probability == 0 {
			return errors.New("probability: must be above 0 and at most 1")
		}
	}
	return nil
}

// check says what is wrong with a fault under that operation, naming the field.
func (f *Fault) check(operation string) error {
	withCode := f.Kind == FaultResultCode || f.Kind == FaultResultCodeAfter
	switch f.Kind {
	case FaultDelay, FaultHTTP500, FaultSOAP, FaultDropBefore, FaultDropAfter, FaultResultCode, FaultResultCodeAfter:
	case FaultDuplicateNotification:
		if operation != "*" && operation != "sendInvoice" {
			return errors.New("kind: duplicateNotification goes with the invoice, so under sendInvoice or *")
		}
	default:
		return fmt.Errorf("kind: %q is none of %v", f.Kind, faultKinds())
	}
	switch {
	case withCode && f.Code <= 0:
		return fmt.Errorf("code: %s needs a result code above 0", f.Kind)
	case !withCode && f.Code != 0:
		return fmt.Errorf("code: means nothing to %s", f.Kind)
	case f.Kind == FaultDelay && f.Delay <= 0:
		return errors.New("delay: must be a duration above 0")
	case f.Kind != FaultDelay && f.Delay != 0:
		return fmt.Errorf("delay: means nothing to %s", f.Kind)
	case f.Skip < 0:
		return errors.New("skip: must not be negative")
	case f.Count < 0:
		return errors.New("count: must not be negative")
	case f.Probability < 0 || f.Probability > 1 || f.Probability != f.Probability:
		return errors.New("probability: must be above 0 and at most 1")
	}
	return nil
}

func faultKinds() []FaultKind {
	return []FaultKind{
		FaultDelay, FaultHTTP500, FaultSOAP, FaultDropBefore, FaultDropAfter,
		FaultResultCode, FaultResultCodeAfter, FaultDuplicateNotification,
	}
}

// checkFaults names the place of everything that is wrong.
func checkFaults(faults map[string][]Fault) error {
	var errs []error
	for _, operation := range slices.Sorted(maps.Keys(faults)) {
		if operation != "*" && findOperation(operation) == nil {
			errs = append(errs, fmt.Errorf("%s: there is no such operation; * means all", operation))
			continue
		}
		for i := range faults[operation] {
			if err := faults[operation][i].check(operation); err != nil {
				errs = append(errs, fmt.Errorf("%s[%d].%w", operation, i, err))
			}
		}
	}
	return errors.Join(errs...)
}
