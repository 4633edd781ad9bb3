//! What a type must not be.

/// Fails to compile if the type has the trait.
macro_rules! is_not {
    ($trait:ident: $($type:ty),* $(,)?) => {$(
        const _: fn() = || {
            trait Either<A> {
                fn here() {}
            }
            impl<T: ?Sized> Either<()> for T {}
            struct Has;
            impl<T: ?Sized + $trait> Either<Has> for T {}
            // Two answers if it has the trait, so none.
            <$type as Either<_>>::here()
        };
    )*};
}
