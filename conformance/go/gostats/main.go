// Counts with lyft/gostats as its users do: the store, the address and the protocol are the library's
// own defaults and its variables'.
package main

import (
	"time"

	stats "github.com/lyft/gostats"
)

func main() {
	store := stats.NewDefaultStore()
	app := store.ScopeWithTags("digits", map[string]string{"team": "ranking"})

	// Dots, colons and bars in a value become underscores; an empty value is left out.
	rows := app.NewCounterWithTags("rows", map[string]string{"split": "train.v1", "none": ""})
	for range 1500 {
		rows.Inc()
	}
	rows.Add(500)
	app.NewPerInstanceCounter("batches", nil).Add(7)
	app.NewGaugeWithTags("queue", map[string]string{"name": "first"}).Set(7)
	// Of both kinds a span of 250 milliseconds.
	span := 250 * time.Millisecond
	app.NewTimer("step").AddDuration(span)
	app.NewMilliTimer("epoch").AddDuration(span)

	store.Flush()
}
