"""The pytest plugin: projects that test a buffer of their own run it through the scenarios as ordinary tests."""
