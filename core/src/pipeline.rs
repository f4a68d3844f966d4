//! The stages of a paper's way: accept → brief → publish → claim → settle. Each is a function of the store, the time and
//! its input; loops and sockets are elsewhere.
