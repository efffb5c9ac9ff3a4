// Package logging writes the diagnostics: lines in the form of the original ("LEVEL TIME: MODULE: MESSAGE key=value …") or
// JSON, with levels chosen per module by the RUST_LOG variable (configuration §1.1, §1.2, decision D42).
//
// A logger names its module by the attribute "module": log.With("module", "swindon::main").
package logging
