package events

import (
	"crypto/sha256"
	"encoding/base32"
	"fmt"
	"regexp"
	"strings"
)

// The first token of every subject, and the streams that hold them.
const (
	OrdersStream     = "ORDERS"
	InvoicesStream   = "INVOICES"
	PeriodsStream    = "PERIODS"
	ParkedStream     = "PARKED"
	OpenStream       = "OPEN"       // the index of open invoices that pollers work from
	ProbesStream     = "PROBES"     // what is written only to find out whether the broker takes it
	HooksStream      = "HOOKS"      // requests of shops' systems that the gateway could not translate
	CursorsStream    = "CURSORS"    // how far the gateway has read the orders of shops' systems
	DeliveriesStream = "DELIVERIES" // attempts to tell shops' systems

	OrdersSubjects     = "orders.>"
	InvoicesSubjects   = "invoices.*.*.*"
	PeriodsSubjects    = "periods.*.*.*"
	ParkedSubjects     = "parked.*.*.*"
	OpenSubjects       = "open.*.*"
	ProbesSubjects     = "probes.*"
	HooksSubjects      = "hooks.*.*.*"
	CursorsSubjects    = "cursors.*.*"
	DeliveriesSubjects = "deliveries.*.*.*"
)

const maxToken = 64

var (
	tokenPattern = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	lowerBase32  = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)
)

// Token makes an id from outside fit to be one token of a subject. An id of 1 to 64 of A–Z, a–z,
// 0–9, "_" and "-" is taken as it is; any other, and any that starts with "x-", becomes "x-" and its
// lower-case unpadded base32, or that of its SHA-256 where it would be too long.
func Token(id string) string {
	if IsToken(id) && !strings.HasPrefix(id, "x-") {
		return id
	}
	if t := "x-" + lowerBase32.EncodeToString([]byte(id)); len(t) <= maxToken {
		return t
	}
	sum := sha256.Sum256([]byte(id))
	return "x-" + lowerBase32.EncodeToString(sum[:])
}

// IsToken says whether s may stand in a subject as it is.
func IsToken(s string) bool { return tokenPattern.MatchString(s) }

// Key names one invoice by its two subject tokens.
type Key struct{ Shop, Invoice string }

// KeyOf makes the key from the ids as the shop writes them.
func KeyOf(shop, invoice string) Key { return Key{Token(shop), Token(invoice)} }

// ParseKey reads "<shop>/<invoice>", ids or tokens, each by itself. What [Token] can have made is a token; else "x-12" is an id.
func ParseKey(s string) (Key, error) {
	shop, invoice, ok := strings.Cut(s, "/")
	if !ok || shop == "" || invoice == "" {
		return Key{}, fmt.Errorf("expected <shop>/<invoice>, got %q", clip(s, 80))
	}
	return Key{tokenOf(shop), tokenOf(invoice)}, nil
}

// tokenOf gives the token that s is, or that of the id that s is.
func tokenOf(s string) string {
	if encoded, ok := strings.CutPrefix(s, "x-"); ok && IsToken(s) {
		if id, err := lowerBase32.DecodeString(encoded); err == nil && len(id) > 0 && Token(string(id)) == s {
			return s
		}
	}
	return Token(s)
}

func (k Key) String() string { return k.Shop + "/" + k.Invoice }

// All is the filter that matches every event of the invoice. It is the only spelling used for
// loading and for expected sequences: a cluster compares filters as text.
func (k Key) All() string { return "invoices." + k.Shop + "." + k.Invoice + ".*" }

// Subject is where an event of the invoice is published.
func (k Key) Subject(e Name) string {
	return "invoices." + k.Shop + "." + k.Invoice + "." + string(e)
}

// Hint is the subject that asks the poller to look at the invoice now.
func (k Key) Hint() string { return "hints." + k.Shop + "." + k.Invoice }

// IssuedHint is the subject on which the invoicer says that the invoice was recorded just now.
func (k Key) IssuedHint() string { return "issued." + k.Shop + "." + k.Invoice }

// Open is the invoice's subject in the index of open invoices.
func (k Key) Open() string { return "open." + k.Shop + "." + k.Invoice }

// ParseOpenSubject reads a subject of the index of open invoices; the error names what is wrong.
func ParseOpenSubject(subject string) (Key, error) {
	t := strings.Split(subject, ".")
	if len(t) != 3 || t[0] != "open" {
		return Key{}, Problem{"subject", fmt.Sprintf("expected open.<shop>.<invoice>, got %q", clip(subject, 80))}
	}
	if err := checkTokens(t, "kind", "shop", "invoice"); err != nil {
		return Key{}, err
	}
	return Key{t[1], t[2]}, nil
}

// checkTokens gives a Problem with the name of the first of the tokens that is none.
func checkTokens(tokens []string, names ...string) error {
	for i, name := range names {
		if !IsToken(tokens[i]) {
			return Problem{"subject", fmt.Sprintf("the %s token %q is not 1 to 64 of A-Z a-z 0-9 _ -", name, clip(tokens[i], 80))}
		}
	}
	return nil
}

// OrderSubject is where an order event is published.
func OrderSubject(shop, order string, e OrderName) string {
	return "orders." + Token(shop) + "." + Token(order) + "." + string(e)
}

// OrderKey names one order by its two subject tokens.
type OrderKey struct{ Shop, Order string }

// OrderKeyOf makes the key from the ids as the shop writes them.
func OrderKeyOf(shop, order string) OrderKey { return OrderKey{Token(shop), Token(order)} }

// All is the filter that matches every event of the order. It is the only spelling used for expected sequences on ORDERS.
func (k OrderKey) All() string { return "orders." + k.Shop + "." + k.Order + ".*" }

// PeriodKey names one period of one shop.
type PeriodKey struct{ Shop, Period string }

// All is the filter that matches every event of the period.
func (k PeriodKey) All() string { return "periods." + k.Shop + "." + k.Period + ".*" }

// Subject is where an event of the period is published.
func (k PeriodKey) Subject(event string) string {
	return "periods." + k.Shop + "." + k.Period + "." + event
}

// ProbeSubject is where one kind of process finds out whether the broker takes what it writes.
func ProbeSubject(process string) string { return "probes." + fit(process) }

// ParkedSubject is where what a worker could not handle is kept. Shop and id are the tokens of the
// message's own subject; what is no token there is made one.
func ParkedSubject(worker, shop, id string) string {
	return "parked." + fit(worker) + "." + fit(shop) + "." + fit(id)
}

func fit(s string) string {
	if IsToken(s) {
		return s
	}
	return Token(s)
}

// Address is a subject of ORDERS, INVOICES or PERIODS taken apart.
type Address struct{ Kind, Shop, ID, Event string }

// ParseSubject takes apart a subject of four tokens; the error names the token that is wrong.
func ParseSubject(subject string) (Address, error) {
	t := strings.Split(subject, ".")
	if len(t) != 4 {
		return Address{}, Problem{"subject", fmt.Sprintf("expected <kind>.<shop>.<id>.<event>, got %d tokens", len(t))}
	}
	if err := checkTokens(t, "kind", "shop", "id", "event"); err != nil {
		return Address{}, err
	}
	return Address{t[0], t[1], t[2], t[3]}, nil
}

// Key of an address on INVOICES.
func (a Address) Key() Key { return Key{a.Shop, a.ID} }
