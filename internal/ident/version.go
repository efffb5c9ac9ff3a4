package ident

// Version is the release of this program. It always has three numbers, also before it is released (decision D1).
const Version = "1.0.0"

// Product is how the program names itself in the headers Server and User-Agent.
const Product = "swindon/" + Version
