package sometimes_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/seqrflow/seqrflow/internal/sometimes"
)

func TestOneLineAMinuteAboutEachThing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sometimes.Sometimes
		told := 0
		for range 600 { // ten minutes
			if s.OK("a full broker") {
				told++
			}
			time.Sleep(time.Second)
		}
		if told != 10 || !s.OK("another thing") {
			t.Errorf("told %d times in ten minutes", told)
		}
	})
}
