package certify

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/govalues/decimal"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"github.com/seqrflow/seqrflow/pkg/seqr"
	"github.com/seqrflow/seqrflow/services/canceler"
	"github.com/seqrflow/seqrflow/services/receipter"
	"github.com/seqrflow/seqrflow/services/refunder"
)

// writes has the requests of one operation, or of all, changed where they match the pattern.
func writes(operation, pattern, instead string) sabotage {
	re := regexp.MustCompile(pattern)
	return sabotage{wire: func(op string, request []byte) []byte {
		if operation != "" && op != operation {
			return request
		}
		return re.ReplaceAll(request, []byte(instead))
	}}
}

// alwaysVersion0 always sends 0.
type alwaysVersion0 struct{ *seqr.Client }

func (c alwaysVersion0) GetPaymentStatus(ctx context.Context, r seqr.GetPaymentStatus) (seqr.PaymentStatus, error) {
	r.Version = 0
	return c.Client.GetPaymentStatus(ctx, r)
}

// latePolling polls an invoice once, and again long after the provider has stopped waiting.
type latePolling struct {
	*seqr.Client
	pause time.Duration
	mu    *sync.Mutex
	asked map[string]time.Time
}

var errNotPolled = &seqr.Error{Operation: "getPaymentStatus", Sent: seqr.NotSent, Err: errors.New("not polled now")}

func (c latePolling) GetPaymentStatus(ctx context.Context, r seqr.GetPaymentStatus) (seqr.PaymentStatus, error) {
	c.mu.Lock()
	last, before := c.asked[r.InvoiceReference]
	if before && time.Since(last) < c.pause {
		c.mu.Unlock()
		return seqr.PaymentStatus{}, errNotPolled
	}
	c.asked[r.InvoiceReference] = time.Now()
	c.mu.Unlock()
	return c.Client.GetPaymentStatus(ctx, r)
}

// endsPolling does not poll the second invoice of the getPaymentStatus test.
type endsPolling struct {
	*seqr.Client
	mu    *sync.Mutex
	sent  map[string]int // by the reference: which of the test's invoices it is
	count *int
}

func (c endsPolling) SendInvoice(ctx context.Context, r seqr.SendInvoice) (seqr.SentInvoice, error) {
	sent, err := c.Client.SendInvoice(ctx, r)
	if r.Invoice.Title == "Certification test getPaymentStatus" {
		c.mu.Lock()
		*c.count++
		c.sent[sent.Reference] = *c.count
		c.mu.Unlock()
	}
	return sent, err
}

func (c endsPolling) GetPaymentStatus(ctx context.Context, r seqr.GetPaymentStatus) (seqr.PaymentStatus, error) {
	c.mu.Lock()
	over := c.sent[r.InvoiceReference] == 2
	c.mu.Unlock()
	if over {
		return seqr.PaymentStatus{}, errNotPolled
	}
	return c.Client.GetPaymentStatus(ctx, r)
}

// partialRefund refunds a part of what was asked for.
type partialRefund struct{ *seqr.Client }

func (c partialRefund) RefundPayment(ctx context.Context, r seqr.RefundPayment) (seqr.Refunded, error) {
	r.Invoice.Total.Value = decimal.One
	return c.Client.RefundPayment(ctx, r)
}

// takesNotReadyForRefusal does not request a report again that is not ready.
type takesNotReadyForRefusal struct{ *seqr.Client }

func (c takesNotReadyForRefusal) ExecuteReport(ctx context.Context, r seqr.ExecuteReport) (seqr.Report, error) {
	report, err := c.Client.ExecuteReport(ctx, r)
	if seqr.Classify(err) == seqr.TryLater {
		err = &seqr.Error{Operation: "executeReport", Sent: seqr.Answered, Code: seqr.RejectedBusinessLogic}
	}
	return report, err
}

const (
	testPoll     = 250 * time.Millisecond
	testPatience = 12 * time.Second
)

// broken are integrations with one defect each, by the name of the defect, and the tests that they fail.
func broken() map[string]struct {
	sabotage
	fails []string
} {
	var mu sync.Mutex
	withClient := func(f func(*seqr.Client) provider) sabotage { return sabotage{client: f} }
	type one = struct {
		sabotage
		fails []string
	}
	every := []string{"sendInvoice", "getPaymentStatus", "submitPaymentReceipt", "cancelInvoice", "refundPayment", "markTransactionPeriod"}
	return map[string]one{
		"no defect": {sabotage{}, nil},

		"no clientReference with sendInvoice":   {writes("sendInvoice", `<clientReference>.*</clientReference>`, ""), every[:1]},
		"no clientReference anywhere":           {writes("", `<clientReference>.*</clientReference>`, ""), every},
		"no itemQuantity":                       {writes("sendInvoice", `<itemQuantity>[^<]*</itemQuantity>`, ""), every[:1]},
		"clientRequestTimeout 1 for status":     {writes("getPaymentStatus", `<clientRequestTimeout>0`, `<clientRequestTimeout>1`), every[1:2]},
		"invoiceVersion always 0":               {withClient(func(c *seqr.Client) provider { return alwaysVersion0{c} }), every[1:2]},
		"status polled too late":                {withClient(func(c *seqr.Client) provider { return latePolling{c, 24 * testPoll, &mu, map[string]time.Time{}} }), every[1:2]},
		"polling ends during the wait":          {withClient(func(c *seqr.Client) provider { return endsPolling{c, &mu, map[string]int{}, new(int)} }), every[1:2]},
		"unknown mimeType":                      {writes("submitPaymentReceipt", `<mimeType>Base64`, `<mimeType>text/plain`), every[2:3]},
		"mimeType of another document":          {writes("submitPaymentReceipt", `<mimeType>Base64`, `<mimeType>text/xml`), every[2:3]},
		"no receipt":                            {sabotage{without: receipter.Name}, every[2:3]},
		"no cancellation":                       {sabotage{without: canceler.Name}, every[3:4]},
		"no clientId with cancelInvoice":        {writes("cancelInvoice", `<clientId>.*</clientId>`, ""), every[3:4]},
		"no refund":                             {sabotage{without: refunder.Name}, every[4:5]},
		"partial refund":                        {withClient(func(c *seqr.Client) provider { return partialRefund{c} }), every[4:5]},
		"clientReference too long for a refund": {writes("refundPayment", `(<clientReference>)`, `${1}123456789-123456789-1234567`), every[4:5]},
		"report not requested again":            {withClient(func(c *seqr.Client) provider { return takesNotReadyForRefusal{c} }), every[5:]},
		"report requested at once":              {sabotage{early: true}, every[5:]},
		"report requested again at once":        {sabotage{hasty: true}, every[5:]},
		"report without transactionPeriodId":    {writes("executeReport", `<entry><key>transactionPeriodId</key>.*?</entry>`, ""), every[5:]},
		"no channel with executeReport":         {writes("executeReport", `<channel>.*</channel>`, ""), every[5:]},
	}
}

// TestBrokenIntegrationFailsTheTestOfItsDefect runs all integrations at once, six at a time: they mostly wait.
func TestBrokenIntegrationFailsTheTestOfItsDefect(t *testing.T) {
	t.Parallel()
	var g errgroup.Group
	g.SetLimit(6)
	var mu sync.Mutex
	reports := map[string]Report{}
	cases := broken()
	for name, c := range cases {
		g.Go(func() error {
			rep, err := Run(t.Context(), Config{Procedure: Webshop, ClientID: "Rig AB", ClientReference: "rig 1.0", Patience: testPatience,
				Log: zerolog.Nop(), start: c.start, poll: testPoll})
			mu.Lock()
			reports[name] = rep
			mu.Unlock()
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			var failed []string
			for _, test := range reports[name].Tests {
				if !test.Passed {
					failed = append(failed, test.Name)
					t.Log(failures(test))
				}
			}
			if !slices.Equal(failed, c.fails) {
				t.Errorf("failed: %q, expected %q", failed, c.fails)
			}
			for _, test := range reports[name].Tests {
				steps := failures(test)
				if (c.early || c.hasty) && len(steps) > 0 && (len(steps) > 1 || steps[0].Name != "the provider is given time before each question") {
					t.Errorf("the steps that failed are %+v", steps)
				}
			}
			if reports[name].Passed != (len(c.fails) == 0) || len(reports[name].Tests) != 6 {
				t.Errorf("passed %v, %d tests", reports[name].Passed, len(reports[name].Tests))
			}
		})
	}
}

func failures(test Test) []Step {
	return slices.DeleteFunc(slices.Clone(test.Steps), func(s Step) bool { return s.Passed })
}
