package certify

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// node is an element of a message, read without regard to what it should be.
type node struct {
	name string
	text string
	kids []*node
}

// payload reads a SOAP message and gives what its Body holds.
func payload(message []byte) (*node, error) {
	root, err := parse(message)
	if err != nil {
		return nil, err
	}
	body := root.at("Body")
	if root.name != "Envelope" || body == nil || len(body.kids) == 0 {
		return nil, errors.New("not a SOAP envelope with a body")
	}
	return body.kids[0], nil
}

func parse(document []byte) (*node, error) {
	d := xml.NewDecoder(bytes.NewReader(document))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // recorded as UTF-8 whatever it was
	top := &node{}
	open := []*node{top}
	for {
		t, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			n := &node{name: t.Name.Local}
			parent := open[len(open)-1]
			parent.kids = append(parent.kids, n)
			open = append(open, n)
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			open[len(open)-1].text += string(t)
		}
	}
	if len(top.kids) == 0 {
		return nil, errors.New("there is no XML element")
	}
	return top.kids[0], nil
}

// at follows a path of child elements; nil where it leads nowhere.
func (n *node) at(path ...string) *node {
	for _, name := range path {
		if n = n.child(name); n == nil {
			return nil
		}
	}
	return n
}

func (n *node) child(name string) *node {
	if n == nil {
		return nil
	}
	for _, k := range n.kids {
		if k.name == name {
			return k
		}
	}
	return nil
}

// all children of a name.
func (n *node) all(name string) []*node {
	if n == nil {
		return nil
	}
	var out []*node
	for _, k := range n.kids {
		if k.name == name {
			out = append(out, k)
		}
	}
	return out
}

// word is the text at the end of a path, without the spaces around it.
func (n *node) word(path ...string) string {
	if n = n.at(path...); n == nil {
		return ""
	}
	return strings.TrimSpace(n.text)
}

// parameter is an entry of a parameterMap.
func (n *node) parameter(key string) string {
	for _, e := range n.at("parameters", "parameter").all("entry") {
		if e.word("key") == key {
			return e.word("value")
		}
	}
	return ""
}
