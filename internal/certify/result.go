package certify

import "time"

// Procedure is the provider's certification procedure for one kind of shop.
type Procedure string

// The procedures. A webshop has a terminal; a point of sale registers one first.
const (
	Webshop     Procedure = "webshop"
	PointOfSale Procedure = "pos"
)

// Result is the verdict on every test of a procedure.
type Result struct {
	Procedure Procedure `json:"procedure"`
	Tests     []Test    `json:"tests"`
	Passed    bool      `json:"passed"`
	Warnings  []string  `json:"warnings,omitempty"` // what an examiner may object to, though every test passed
}

// Test is the verdict on one test of the procedure. Its name is the operation that is tested.
type Test struct {
	N      int    `json:"n"`
	Name   string `json:"name"`
	Passed bool   `json:"passed"`
	Steps  []Step `json:"steps"`
}

// Step is one thing that was done or checked. Exchanges are the numbers of the exchanges that it rests on.
type Step struct {
	Number    string `json:"number,omitempty"` // in the procedure, such as 2.4; empty for a check that the procedure has no step for
	Name      string `json:"name"`
	Passed    bool   `json:"passed"`
	Detail    string `json:"detail"`
	Exchanges []int  `json:"exchanges,omitempty"`
}

// Report is the result with its evidence.
type Report struct {
	Result
	Started         time.Time  `json:"started"`
	Ended           time.Time  `json:"ended"`
	Program         string     `json:"program"`
	Endpoint        string     `json:"endpoint"`
	Sandbox         bool       `json:"sandbox"` // it was an own sandbox, whose clock was moved instead of waiting
	ClientID        string     `json:"clientId"`
	ClientReference string     `json:"clientReference"`
	Terminal        string     `json:"terminal"`
	Exchanges       []Exchange `json:"exchanges"`
}

// Exchange is one call in the report; the messages are in the files.
type Exchange struct {
	N            int       `json:"n"`
	Operation    string    `json:"operation"`
	At           time.Time `json:"at"`
	Millis       int64     `json:"ms"`
	HTTPStatus   int       `json:"httpStatus,omitempty"`
	Outcome      string    `json:"outcome"`
	Code         *int      `json:"code,omitempty"`
	Status       string    `json:"status,omitempty"`    // the invoice's, in an answer to getPaymentStatus
	Reference    string    `json:"reference,omitempty"` // the invoice's or the payment's
	Error        string    `json:"error,omitempty"`
	RequestFile  string    `json:"requestFile"`
	ResponseFile string    `json:"responseFile,omitempty"`

	call *recorded
}
