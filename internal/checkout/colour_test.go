package checkout

import (
	"fmt"
	"math"
	"regexp"
	"testing"

	"pgregory.net/rapid"
)

func TestContrastIsThatOfTheStandard(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want float64
	}{{"#000000", "#ffffff", 21}, {"#ffffff", "#ffffff", 1}, {"#767676", "#ffffff", 4.54}, {"#0000ff", "#ffffff", 8.59}, {"#ff0000", "#000000", 5.25}} {
		if got := contrast(c.a, c.b); math.Abs(got-c.want) > 0.01 {
			t.Errorf("%s on %s: %.2f, expected %.2f", c.a, c.b, got, c.want)
		}
	}
}

// Whatever colour a shop chooses, the text on its button can be read.
func TestTextOnAShopsColourCanBeRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		colour := fmt.Sprintf("#%06x", rapid.IntRange(0, 0xffffff).Draw(t, "colour"))
		if got := contrast(readableOn(colour), colour); got < 4.5 {
			t.Errorf("%s on %s: %.2f", readableOn(colour), colour, got)
		}
	})
}

// The style sheet's own colours: text at least 4.5, the edges of buttons at least 3.
func TestColoursOfTheStyleSheetCanBeRead(t *testing.T) {
	css, err := staticFiles.ReadFile("static/style.css")
	if err != nil {
		t.Fatal(err)
	}
	colours := map[string]string{}
	for _, m := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6})`).FindAllStringSubmatch(string(css), -1) {
		colours[m[1]] = m[2]
	}
	for _, c := range []struct {
		text, on string
		least    float64
	}{
		{"ink", "paper", 4.5}, {"ink", "card", 4.5}, {"soft", "paper", 4.5}, {"soft", "card", 4.5}, {"good", "card", 4.5}, {"bad", "card", 4.5},
		{"on-accent", "accent", 4.5}, {"edge", "card", 3},
	} {
		if a, b := colours[c.text], colours[c.on]; a == "" || b == "" || contrast(a, b) < c.least {
			t.Errorf("%s (%s) on %s (%s): %.2f, expected at least %.1f", c.text, a, c.on, b, contrast(a, b), c.least)
		}
	}
}
