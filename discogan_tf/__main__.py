"""`python -m discogan_tf`: says what there is."""

if __name__ == "__main__":
    import discogan

    print(discogan.usage(), end="")
