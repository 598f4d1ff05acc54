package checkout

import (
	"fmt"
	"html/template"
	"strings"

	"rsc.io/qr"
)

// quiet is how many modules are left white around a code, as the standard asks for.
const quiet = 4

// qrSVG draws the QR code of a text as SVG: one path, a rectangle for each run of dark modules in a row. attributes are put into the
// svg element as they are.
func qrSVG(text, attributes string) (template.HTML, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return "", err
	}
	var path strings.Builder
	for y := range code.Size {
		for x := 0; x < code.Size; x++ {
			begin := x
			for x < code.Size && code.Black(x, y) {
				x++
			}
			if x > begin {
				fmt.Fprintf(&path, "M%d %dh%dv1h-%dz", begin+quiet, y+quiet, x-begin, x-begin)
			}
		}
	}
	size := code.Size + 2*quiet
	return template.HTML(fmt.Sprintf(
		`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges" %s><path fill="#fff" d="M0 0h%dv%dH0z"/><path fill="#000" d="%s"/></svg>`,
		size, size, attributes, size, size, path.String())), nil
}

// pngScale is how many pixels a module has.
const pngScale = 8

// qrPNG draws the QR code of a text as PNG.
func qrPNG(text string) ([]byte, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return nil, err
	}
	code.Scale = pngScale
	return code.PNG(), nil
}
