// Package checkout shows buyers the page on which they pay an order.
//
//	serves    /pay/<shop>/<order>?key=… and what belongs to it; without the order's key everything is the same 404
//	reads     ORDERS and INVOICES, by internal/orderview
//	publishes orders.<shop>.<order>.placed (another try, once the last is closed) and ….canceled (the buyer cancels the open try);
//	          hints.<shop>.<invoice> when the buyer comes back from the app
//
// Files:
//
//	checkout.go  the handler: paths, headers, who may see an order
//	keys.go      the keys, and the links that have them
//	settings.go  what the connections file says of it: keys, how each shop looks
//	view.go      what a buyer is shown of an order: a pure function
//	page.go      pages as HTML; live.go as a stream of changes; plugin.go for the provider's browser plugin
//	act.go       what the buyer does: cancel, try again, come back from the app
//	texts.go     every text in every language; format.go amounts and times
//	qr.go        the QR code; colour.go readable colours; assets.go files with a hash in their names
package checkout
