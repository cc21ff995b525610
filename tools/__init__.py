"""The scripts of this repository. `support` has what they share with bench and the tests."""
