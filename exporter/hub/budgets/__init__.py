"""Carbon budgets: how much a team may emit, and how much of it is spent."""
