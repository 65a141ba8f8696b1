// Package kurrenttest serves any eventstore.Store over the gRPC protocol of KurrentDB (EventStoreDB), so that a client of
// that server, in any language, can read and append: the adapter in eventstore/kurrent is tested against it over the real
// wire everywhere, and "rolewise eventstore serve" lets an auditor replay the log of a small installation.
//
// Offered are Append, Read (streams and $all, forwards and backwards, and subscriptions), the server's features and gossip.
// Everything else answers Unimplemented. Results, errors and edge cases are those of a server of version 24.10. Where the
// port cannot hold what the wire knows, this is done:
//
//   - Stream names. A name of the port's form (category-plan.id) is that stream; every other name is kept whole as the id
//     of a stream in a category of its own. A name may have 1,024 bytes; the server itself has no such limit.
//   - Content type. What the data looks like, unless the client declared otherwise; then it is remembered in memory.
//   - Created. The time in the metadata of Rolewise; for other events the time of the append, remembered in memory. The
//     stored bytes are always those that the client sent. After a restart of the process, events without either are
//     dated to its start.
//   - Positions. The position of the store becomes a commit position with irregular gaps, by a fixed, invertible rule.
//   - System events. After every fifth position $all has an event of a $-stream, as the real log has its statistics.
//     SystemEvents(0) turns that off.
//   - Appends may have 1 MiB of types, data and metadata, and no event id twice. An event type may be as long as the store
//     permits.
//   - Retention ($maxAge, $maxCount, $tb of stream metadata) is applied when a stream is read, as the server does; nothing
//     is ever removed. Access lists are stored, but the one user may do everything.
package kurrenttest
