//! What follows from payments, seen together with the books.
