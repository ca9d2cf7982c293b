"""Messages between schools, officers and practitioners."""
