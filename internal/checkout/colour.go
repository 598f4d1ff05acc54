package checkout

import (
	"fmt"
	"math"
)

// readableOn gives black or white: the one that is easier to read on the colour. The contrast is at least 4.5, since no colour is
// closer than that to both.
func readableOn(colour string) string {
	if contrast(colour, "#000000") > contrast(colour, "#ffffff") {
		return "#000000"
	}
	return "#ffffff"
}

// contrast gives the contrast ratio of two colours #rrggbb by WCAG 2, 1 to 21. A colour that is none counts as black.
func contrast(a, b string) float64 {
	la, lb := luminance(a), luminance(b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

func luminance(colour string) float64 {
	var rgb [3]uint8
	_, _ = fmt.Sscanf(colour, "#%02x%02x%02x", &rgb[0], &rgb[1], &rgb[2]) // black where it is no colour
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		c := float64(rgb[i]) / 255
		if c <= 0.04045 {
			c /= 12.92
		} else {
			c = math.Pow((c+0.055)/1.055, 2.4)
		}
		sum += weight * c
	}
	return sum
}
