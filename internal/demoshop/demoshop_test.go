package demoshop

import (
	"net"
	"reflect"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func config(folder string) Config {
	return Config{ID: "demo", Listen: "127.0.0.1:0", Folder: folder}
}

// A shop that is opened again has the same secrets, so that what is joined to it need not change. One that was never joined can be
// closed.
func TestAShopIsOpenedAgainWithTheSameSecrets(t *testing.T) {
	folder := t.TempDir()
	var secrets [][3]string
	for range 2 {
		w, err := OpenWoo(config(folder), 0)
		if err != nil {
			t.Fatal(err)
		}
		var all [3]string
		c := w.Connection.WooCommerce
		for i, f := range []interface{ Read() ([]string, error) }{c.WebhookSecret, c.ConsumerKey, c.ConsumerSecret} {
			s, err := f.Read()
			if err != nil || len(s) != 1 {
				t.Fatalf("%v, %v", s, err)
			}
			all[i] = s[0]
		}
		secrets = append(secrets, all)
		if err := w.Close(); err != nil {
			t.Error(err)
		}
		if _, err := net.Dial("tcp", w.listener.Addr().String()); err == nil {
			t.Error("a closed shop takes connections")
		}
	}
	if !reflect.DeepEqual(secrets[0], secrets[1]) || secrets[0][0] == secrets[0][1] {
		t.Error("the secrets have changed, or are alike")
	}
	s, err := OpenShopify(config(folder))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestAGatewayThatCannotBeReachedIsAnErrorOfJoin(t *testing.T) {
	w, err := OpenWoo(config(t.TempDir()), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Join("http://127.0.0.1:1"); err == nil {
		t.Error("no error")
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

func TestIdsOfOrdersGrowWithTheClock(t *testing.T) {
	at := time.Date(2026, 11, 26, 7, 0, 0, 0, time.UTC)
	first, next := IDFromClock(at), IDFromClock(at.Add(time.Second))
	if first <= 0 || next != first+10 {
		t.Errorf("%d, a second later %d", first, next)
	}
}
