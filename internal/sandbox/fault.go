package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// FaultKind says what goes wrong.
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

// faultKinds is read only.
var faultKinds = []FaultKind{
	FaultDelay, FaultHTTP500, FaultSOAP, FaultDropBefore, FaultDropAfter,
	FaultResultCode, FaultResultCodeAfter, FaultDuplicateNotification,
}

// Fault makes calls of an operation go wrong. As JSON its delay is a duration such as "2s".
type Fault struct {
	Kind        FaultKind     `json:"kind"`
	Code        int           `json:"code,omitempty"`        // of resultCode and resultCodeAfter
	Delay       time.Duration `json:"-"`                     // of delay, on the sandbox's clock
	Skip        int           `json:"skip,omitempty"`        // calls to leave alone first
	Count       int           `json:"count,omitempty"`       // times left; 0 means always
	Probability float64       `json:"probability,omitempty"` // above 0, at most 1; 0 means 1
}

// plainFault is a Fault without its methods.
type plainFault Fault

// MarshalJSON writes the delay as text.
func (f Fault) MarshalJSON() ([]byte, error) {
	j := struct {
		plainFault
		Delay string `json:"delay,omitempty"`
	}{plainFault: plainFault(f)}
	if f.Delay != 0 {
		j.Delay = f.Delay.String()
	}
	return json.Marshal(j)
}

// UnmarshalJSON reads what MarshalJSON writes. It refuses members that it does not know, and a probability of 0.
func (f *Fault) UnmarshalJSON(data []byte) error {
	var j struct {
		plainFault
		Delay       string   `json:"delay"`
		Probability *float64 `json:"probability"`
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&j); err != nil {
		return err
	}
	*f = Fault(j.plainFault)
	if j.Delay != "" {
		var err error
		if f.Delay, err = time.ParseDuration(j.Delay); err != nil {
			return fmt.Errorf("delay: %q is not a duration such as 2s", j.Delay)
		}
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
	switch {
	case !slices.Contains(faultKinds, f.Kind):
		return fmt.Errorf("kind: %q is none of %v", f.Kind, faultKinds)
	case f.Kind == FaultDuplicateNotification && operation != "*" && operation != "sendInvoice":
		return errors.New("kind: duplicateNotification goes with the invoice, so under sendInvoice or *")
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

// checkFaults says everything that is wrong, and where.
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
