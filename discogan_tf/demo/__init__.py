"""A page to try a trained run or an export."""
