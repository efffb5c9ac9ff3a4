package gateway

// closeCode is the code of a Close frame. This is the one table of them (decision D8, protocol §14); the codes that the
// websocket layer itself finds (1002, 1003, 1007 for UTF-8, 1009, 4008, 4013) stand in package ws.
type closeCode int

const (
	closeGoingAway   closeCode = 1001 // drain or stop
	closeBadData     closeCode = 1007 // not JSON, or nested too deep
	closePolicy      closeCode = 1008 // JSON of the wrong shape
	closeInternal    closeCode = 1011 // a defect of ours
	closePoolStopped closeCode = 4001 // the session pool was removed from the configuration
	closeKicked      closeCode = 4002 // kicked by a backend or replaced by a newer connection
	closeSlow        closeCode = 4013 // too slow, or more than max-pending-bytes before hello
)

// The reasons that go with the codes.
const (
	reasonGoingAway   = "going_away"
	reasonBadData     = "invalid_json"
	reasonPolicy      = "invalid_request"
	reasonInternal    = "internal_error"
	reasonPoolStopped = "session_pool_stopped"
	reasonKicked      = "kicked"
	reasonReplaced    = "replaced"
	reasonPendingFull = "pending_buffer_full"
	reasonBackend     = "backend_error"
)

// refusalCode is the close code after a failed authorization: 4400 … 4503 (protocol §2.6).
func refusalCode(status int) closeCode { return closeCode(4000 + status) }
