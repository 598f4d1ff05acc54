package checkout

import (
	"bytes"
	"image/png"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"rsc.io/qr"
)

const codeText = "HTTP://SEQR.SE/R1234567890123"

// Both pictures have the dark modules of the code, and white around them.
func TestPicturesAreTheCode(t *testing.T) {
	code, err := qr.Encode(codeText, qr.M)
	if err != nil {
		t.Fatal(err)
	}
	svg, err := qrSVG(codeText, `role="img"`)
	if err != nil {
		t.Fatal(err)
	}
	drawn := map[[2]int]bool{}
	for _, m := range regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-(\d+)z`).FindAllStringSubmatch(string(svg), -1) {
		n := func(i int) int { v, _ := strconv.Atoi(m[i]); return v }
		if m[3] != m[4] {
			t.Fatalf("no rectangle: %s", m[0])
		}
		for x := range n(3) {
			drawn[[2]int{n(1) + x - quiet, n(2) - quiet}] = true
		}
	}
	body, err := qrPNG(codeText)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if want := (code.Size + 2*quiet) * pngScale; img.Bounds().Dx() != want {
		t.Errorf("the PNG is %d wide, expected %d", img.Bounds().Dx(), want)
	}
	for y := -quiet; y < code.Size+quiet; y++ {
		for x := -quiet; x < code.Size+quiet; x++ {
			black := code.Black(x, y)
			red, _, _, _ := img.At((x+quiet)*pngScale+1, (y+quiet)*pngScale+1).RGBA()
			if drawn[[2]int{x, y}] != black || (red == 0) != black {
				t.Fatalf("module %d,%d: SVG %v, PNG %v, expected %v", x, y, drawn[[2]int{x, y}], red == 0, black)
			}
		}
	}
	if _, err := qrSVG(strings.Repeat("x", 5000), ""); err == nil {
		t.Error("a text that no code has room for gives no error")
	}
}
