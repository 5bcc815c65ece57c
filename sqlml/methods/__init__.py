"""Ways to learn, one a file, one interface: `fit(data, …) → State`, `forward(…) → (weights, inputs) → outputs`."""
