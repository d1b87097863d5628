"""Actions do: each is safe to repeat, and every act on the outside goes through effects."""
